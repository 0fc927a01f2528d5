package dtask

import "context"

// A HandleFunc handles a delivered message and returns the outcome. m holds
// the task, the queue and the attempt; ctx is that of the worker, from which
// the context of the function derives.
type HandleFunc func(ctx context.Context, m *Message) Outcome

// Middleware wraps the handling of a message by a worker, as middleware of
// net/http wraps a handler. It sees every message delivered, also those that
// never reach a function: expired ones and those of another build. The first
// of several is the outermost.
//
// It sees the outcome of an attempt when the function has returned. If the worker
// has given up the function before that, the outcome is [OutcomeGivenUp],
// whatever the function returned.
type Middleware func(next HandleFunc) HandleFunc
