package dtask

import (
	"context"
	"log/slog"
	"time"
)

// Info says which task runs, and which attempt of it.
type Info struct {
	ID       string
	Task     string
	Queue    string
	Attempt  int // from 1
	Attempts int // how many are allowed
}

// InfoFromContext returns the task that runs with ctx. It returns false if no
// worker runs it, as when you call the function yourself.
func InfoFromContext(ctx context.Context) (Info, bool) {
	info, ok := ctx.Value(infoKey{}).(Info)
	return info, ok
}

type infoKey struct{}

func infoOf(m *Message) Info { return Info{m.ID, m.Task, m.Queue, m.Attempt, m.Attempts} }

// A taskContext is the context of an attempt: it knows the client and the task,
// and ends at the deadline or with the attempt.
type taskContext struct {
	lazyContext
	client  *Client
	info    Info
	log     *slog.Logger // of the worker; nil without one
	records *records     // nil: nothing is kept
}

type attemptKey struct{}

// newTaskContext returns a context that ends with parent, after timeout unless
// that is 0, and when end is called.
func newTaskContext(parent context.Context, c *Client, info Info, timeout time.Duration) *taskContext {
	t := &taskContext{client: c, info: info}
	t.init(parent, timeout)
	return t
}

func (c *taskContext) Value(key any) any {
	switch key.(type) {
	case clientKey:
		return c.client
	case infoKey:
		return c.info
	case attemptKey:
		return c
	}
	return c.lazyContext.Value(key)
}
