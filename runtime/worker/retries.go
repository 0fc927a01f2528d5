package worker

import (
	"context"
	"sync"
	"time"

	"github.com/dtaskhq/dtask/runtime/dtask"
)

const (
	// drainLook is the time between two looks at the queues. They are drained
	// if nothing is due at two looks in a row and nothing was settled in between.
	drainLook = 250 * time.Millisecond

	// drainPatience is how long a drain goes on while the broker does not tell
	// what is due.
	drainPatience = time.Minute

	// drainSay is how often a drain that waits says for what.
	drainSay = 10 * time.Second

	// retryLate is how long a drain waits for a retry beyond its time. A retry
	// that has not come by then went to another worker.
	retryLate = 5 * time.Second
)

// retries remembers what this process has put off: retries, with when they are
// due, and what was snoozed or handed back.
type retries struct {
	mu   sync.Mutex
	due  map[string]time.Time // by message id; the zero time if it is no retry
	more int                  // beyond maxPutOff
}

// maxPutOff bounds how many messages are remembered.
const maxPutOff = 100_000

func newRetries() *retries { return &retries{due: make(map[string]time.Time)} }

func (r *retries) middleware(next dtask.HandleFunc) dtask.HandleFunc {
	return func(ctx context.Context, m *dtask.Message) dtask.Outcome {
		o := next(ctx, m)
		if o.Kind == dtask.OutcomeGivenUp {
			return o // it was settled before, and its retry may have run
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.due, m.ID)
		switch {
		case o.Kind == dtask.OutcomeDone, o.Kind == dtask.OutcomeDead, o.Kind == dtask.OutcomeCancelled:
		case len(r.due) >= maxPutOff:
			r.more++
		case o.Kind == dtask.OutcomeRetried:
			r.due[m.ID] = time.Now().Add(o.In)
		default:
			r.due[m.ID] = time.Time{}
		}
		return o
	}
}

// pending returns how many messages were put off and have not come again.
func (r *retries) pending() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.due) + r.more
}

// dueWithin reports whether a retry is due within d from now.
func (r *retries) dueWithin(d time.Duration) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, due := range r.due {
		if wait := time.Until(due); wait <= d && wait > -retryLate {
			return true
		}
	}
	return false
}
