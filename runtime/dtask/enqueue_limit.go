package dtask

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

// enqueueTimeout is the default of [WithEnqueueTimeout].
const enqueueTimeout = 10 * time.Second

// WithEnqueueTimeout limits the time of an enqueue whose context has no deadline.
// An enqueue that takes longer fails with an error that wraps
// context.DeadlineExceeded. It may have up to a tenth longer. The default is 10
// seconds, and so it is for 0. A negative d means no limit.
func WithEnqueueTimeout(d time.Duration) ClientOption {
	return func(c *Client) { c.limit.timeout = cmp.Or(d, enqueueTimeout) }
}

// An enqueueLimit gives a deadline to enqueues whose contexts have none.
//
// Making a context with a timer costs more than the rest of Delay. So enqueues that
// begin within a tenth of the timeout share a timer, which fires after the last of
// them has had its time.
type enqueueLimit struct {
	timeout time.Duration
	shared  atomic.Pointer[sharedDeadline]
}

// A sharedDeadline is the deadline of enqueues that begin before a time.
type sharedDeadline struct {
	context.Context
	cancel   context.CancelFunc
	before   time.Time
	deadline time.Time
}

// apply returns ctx with a deadline, and what is to be ended after the enqueue. It
// returns ctx itself if that has a deadline already, or there is no limit.
func (l *enqueueLimit) apply(ctx context.Context) (limited context.Context, own *lazyContext) {
	if _, ok := ctx.Deadline(); ok || l.timeout < 0 {
		return ctx, nil
	}
	now := time.Now()
	s := l.shared.Load()
	if s == nil || !now.Before(s.before) {
		window := l.timeout / 10
		next := &sharedDeadline{before: now.Add(window), deadline: now.Add(l.timeout + window)}
		next.Context, next.cancel = context.WithDeadline(context.Background(), next.deadline)
		l.shared.Store(next)
		s = next
	}
	c := &limitedContext{shared: s}
	c.parent, c.deadline = ctx, s.deadline
	return c, &c.lazyContext
}

// A limitedContext is a context with a deadline that it shares with others.
type limitedContext struct {
	lazyContext
	shared *sharedDeadline
}

// Ends implements [broker.Ender]: these channels exist, that of Done would be made.
func (c *limitedContext) Ends() (first, second <-chan struct{}) {
	return c.parent.Done(), c.shared.Done()
}

// explain adds to the error of an enqueue where the deadline came from that apply
// gave to its context.
func (l *enqueueLimit) explain(ctx, limited context.Context, err error) error {
	if err == nil || ctx == limited || limited.Err() == nil || !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return fmt.Errorf("%w (the context has no deadline; the limit is that of the client, %v)", err, l.timeout)
}
