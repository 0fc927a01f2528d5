package dtask

import "context"

// A HandleFunc handles a delivered message and returns its outcome. m has the task,
// the queue and the attempt. ctx is the context of the worker; the function of the
// task gets a context that is made from it.
type HandleFunc func(ctx context.Context, m *Message) Outcome

// Middleware wraps a [HandleFunc] of a worker, as middleware of net/http wraps a
// handler. The first of several is the outermost. It sees every message that is
// delivered, also one that reaches no function: it has expired, or is of another
// build.
//
// It sees the outcome when the function has returned. A worker may give up a
// function that ignores its timeout. If that function returns in the end, the
// outcome is [OutcomeGivenUp].
type Middleware func(next HandleFunc) HandleFunc
