package dtask

import (
	"context"
	"errors"
	"fmt"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// Delay enqueues the task with these arguments. It uses the client of ctx
// ([NewContext]), or else the default client ([SetDefault]).
//
// When it returns nil, the message is on disk: the task will run at least once, or
// its message will be among the dead letters. When it returns an error, the message
// was not enqueued, unless the error is [ErrUnknownOutcome].
func (t Task[A, R]) Delay(ctx context.Context, args A, opts ...Option) (Handle[R], error) {
	c, err := clientFor(ctx)
	if err != nil {
		return Handle[R]{}, &EnqueueError{Task: t.name, Err: err}
	}
	d, err := t.call(c, opts)
	m := &d.message
	if err == nil {
		m.Body, err = encode(&args)
	}
	if err != nil {
		return Handle[R]{}, &EnqueueError{Task: t.name, Err: err}
	}
	if err := c.send(ctx, m); err != nil && !d.ignores(err) {
		return t.Handle(m.ID), &EnqueueError{Task: t.name, ID: m.ID, Err: err}
	}
	return t.Handle(m.ID), nil
}

// DelayMany enqueues the task once for each element of args. It needs as few round
// trips as the broker allows. The handles have the order of args.
//
// If some messages fail, the error is a [*BatchError]. It says which ones, and why;
// all others are enqueued. After any other error nothing is enqueued: there is no
// client, or an option is wrong.
//
// A very long list is stored in several parts, so that others do not wait for all
// of it.
func DelayMany[A, R any](ctx context.Context, t Task[A, R], args []A, opts ...Option) ([]Handle[R], error) {
	c, err := clientFor(ctx)
	if err != nil {
		return nil, &EnqueueError{Task: t.name, Err: err}
	}
	handles := make([]Handle[R], len(args))
	errs := make([]error, len(args))
	msgs := make([]*Message, 0, len(args))
	index := make([]int, 0, len(args)) // of each message in args
	var d *call
	for i := range args {
		if d, err = t.call(c, opts); err != nil {
			return nil, &EnqueueError{Task: t.name, Err: err}
		}
		m := &d.message
		if m.Body, err = encode(&args[i]); err != nil {
			errs[i] = &EnqueueError{Task: t.name, Err: err}
			continue
		}
		handles[i] = t.Handle(m.ID)
		msgs, index = append(msgs, m), append(index, i)
	}
	for j, err := range c.sendMany(ctx, msgs) {
		if err != nil && !d.ignores(err) { // the options are the same for all
			errs[index[j]] = &EnqueueError{Task: t.name, ID: msgs[j].ID, Err: err}
		}
	}
	return handles, batchError(errs)
}

// call returns one Delay of t on c, without its arguments.
func (t Task[A, R]) call(c *Client, opts []Option) (*call, error) {
	d := &call{message: newMessage(t.name, t.spec, c.now())}
	for _, o := range opts {
		o(d)
	}
	if d.ignoreDuplicate {
		if _, err := broker.As[broker.Deduplicator](c.broker); err != nil {
			return d, fmt.Errorf("option IgnoreDuplicate: %w", err)
		}
	}
	return d, d.message.Validate()
}

// ignores reports whether Delay is to succeed in spite of an error of the broker.
func (c *call) ignores(err error) bool {
	return c.ignoreDuplicate && errors.Is(err, ErrDuplicate)
}
