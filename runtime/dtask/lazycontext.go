package dtask

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// A lazyContext ends at a deadline, or when end is called. Its timer is made when
// somebody first asks for Done. Most tasks never do, and making it costs more than
// all else a worker does for a task.
type lazyContext struct {
	parent   context.Context
	deadline time.Time // zero: none

	mu    sync.Mutex
	ended bool
	timed atomic.Pointer[timedContext] // nil: nobody has asked
}

type timedContext struct {
	context.Context
	cancel context.CancelCauseFunc
}

// init gives the context its parent, and a deadline after timeout unless that is 0.
func (c *lazyContext) init(parent context.Context, timeout time.Duration) {
	c.parent = parent
	if timeout > 0 {
		c.deadline = time.Now().Add(timeout)
	}
	if d, ok := parent.Deadline(); ok && (c.deadline.IsZero() || d.Before(c.deadline)) {
		c.deadline = d
	}
}

// end ends the context. A nil one has nothing to end.
func (c *lazyContext) end() {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended = true
	if t := c.timed.Load(); t != nil {
		t.cancel(nil)
	}
}

// cancel ends the context for a reason, which context.Cause returns.
func (c *lazyContext) cancel(cause error) { c.wait().cancel(cause) }

// wait returns the context with a real timer.
func (c *lazyContext) wait() *timedContext {
	if t := c.timed.Load(); t != nil {
		return t
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if t := c.timed.Load(); t != nil {
		return t
	}
	t := &timedContext{}
	cancelled, cancel := context.WithCancelCause(c.parent)
	t.Context, t.cancel = cancelled, cancel
	if !c.deadline.IsZero() {
		timed, stop := context.WithDeadline(cancelled, c.deadline)
		t.Context, t.cancel = timed, func(cause error) { cancel(cause); stop() }
	}
	if c.ended {
		t.cancel(nil)
	}
	c.timed.Store(t)
	return t
}

func (c *lazyContext) Deadline() (time.Time, bool) { return c.deadline, !c.deadline.IsZero() }

func (c *lazyContext) Done() <-chan struct{} { return c.wait().Done() }

func (c *lazyContext) Err() error {
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

func (c *lazyContext) Value(key any) any {
	if t := c.timed.Load(); t != nil {
		return t.Value(key) // package context looks here for what to attach to
	}
	return c.parent.Value(key)
}
