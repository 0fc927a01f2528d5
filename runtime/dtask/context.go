package dtask

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// Info says which task, and which attempt, a context belongs to.
type Info struct {
	ID       string
	Task     string
	Queue    string
	Attempt  int // from 1
	Attempts int // how many are allowed
}

// InfoFromContext returns the task that runs with ctx, and whether there is
// one: a direct call of the function has none.
func InfoFromContext(ctx context.Context) (Info, bool) {
	info, ok := ctx.Value(infoKey{}).(Info)
	return info, ok
}

type infoKey struct{}

func infoOf(m *Message) Info { return Info{m.ID, m.Task, m.Queue, m.Attempt, m.Attempts} }

// taskContext is the context of an attempt: it knows the client and the task,
// and ends at the deadline or with the attempt.
//
// The timer of the deadline is made when somebody first asks for Done. Most
// tasks never do, and making it costs more than all else a worker does for a
// task.
type taskContext struct {
	parent   context.Context
	client   *Client
	info     Info
	deadline time.Time // zero: none

	mu    sync.Mutex
	ended bool
	timed atomic.Pointer[timedContext] // nil: nobody has asked
}

type timedContext struct {
	context.Context
	cancel context.CancelFunc
}

// newTaskContext returns a context that ends with parent, after timeout unless
// that is 0, and when end is called.
func newTaskContext(parent context.Context, c *Client, info Info, timeout time.Duration) *taskContext {
	t := &taskContext{parent: parent, client: c, info: info}
	if timeout > 0 {
		t.deadline = time.Now().Add(timeout)
	}
	if d, ok := parent.Deadline(); ok && (t.deadline.IsZero() || d.Before(t.deadline)) {
		t.deadline = d
	}
	return t
}

// end ends the context: the attempt is over.
func (c *taskContext) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended = true
	if t := c.timed.Load(); t != nil {
		t.cancel()
	}
}

// wait returns the context with a real timer.
func (c *taskContext) wait() *timedContext {
	if t := c.timed.Load(); t != nil {
		return t
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if t := c.timed.Load(); t != nil {
		return t
	}
	t := &timedContext{}
	if c.deadline.IsZero() {
		t.Context, t.cancel = context.WithCancel(c.parent)
	} else {
		t.Context, t.cancel = context.WithDeadline(c.parent, c.deadline)
	}
	if c.ended {
		t.cancel()
	}
	c.timed.Store(t)
	return t
}

func (c *taskContext) Deadline() (time.Time, bool) { return c.deadline, !c.deadline.IsZero() }

func (c *taskContext) Done() <-chan struct{} { return c.wait().Done() }

func (c *taskContext) Err() error {
	if t := c.timed.Load(); t != nil {
		return t.Err()
	}
	if err := c.parent.Err(); err != nil {
		return err
	}
	c.mu.Lock()
	ended := c.ended
	c.mu.Unlock()
	switch {
	case ended:
		return context.Canceled
	case !c.deadline.IsZero() && !time.Now().Before(c.deadline):
		return context.DeadlineExceeded
	}
	return nil
}

func (c *taskContext) Value(key any) any {
	switch key.(type) {
	case clientKey:
		return c.client
	case infoKey:
		return c.info
	}
	if t := c.timed.Load(); t != nil {
		return t.Value(key) // package context looks here for what to attach to
	}
	return c.parent.Value(key)
}
