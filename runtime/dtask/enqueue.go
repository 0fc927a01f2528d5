package dtask

import (
	"context"
	"slices"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// An EnqueueFunc enqueues messages. It returns an error, or nil, for each message.
type EnqueueFunc func(ctx context.Context, ms []*Message) []error

// EnqueueMiddleware wraps an [EnqueueFunc] of a client. It may add headers to
// messages, refuse them with errors, or look at what becomes of them. It gets one
// message from Delay or from a schedule, and many from [DelayMany].
type EnqueueMiddleware func(next EnqueueFunc) EnqueueFunc

// newMessage returns a message that runs a task for the first time, without its
// arguments.
func newMessage(task string, spec *Spec, now time.Time) Message {
	return Message{
		ID:         newID(now),
		Task:       task,
		Queue:      spec.Queue,
		Schema:     spec.Schema,
		Priority:   spec.Priority,
		Keep:       spec.Keep,
		Attempt:    1,
		Attempts:   spec.Retries + 1,
		EnqueuedAt: now,
	}
}

// send enqueues one message.
func (c *Client) send(ctx context.Context, m *Message) error {
	if c.enqueue != nil || broker.Transaction(ctx) != nil {
		return c.sendMany(ctx, []*Message{m})[0]
	}
	limited, own := c.limit.apply(ctx)
	defer own.end()
	return c.limit.explain(ctx, limited, c.broker.Enqueue(limited, m))
}

// sendMany enqueues a batch.
func (c *Client) sendMany(ctx context.Context, ms []*Message) []error {
	limited, own := c.limit.apply(ctx)
	defer own.end()
	enqueue := c.enqueue
	if enqueue == nil {
		enqueue = c.deliver
	}
	errs := enqueue(limited, ms)
	for i, err := range errs {
		errs[i] = c.limit.explain(ctx, limited, err)
	}
	return errs
}

// deliver hands messages to the broker, in the transaction of ctx if it has one: to
// the outbox, then, if the client has one.
func (c *Client) deliver(ctx context.Context, ms []*Message) []error {
	tx := broker.Transaction(ctx)
	if tx == nil {
		return c.broker.EnqueueMany(ctx, ms)
	}
	if c.relay != nil {
		return c.relay.EnqueueTx(ctx, tx, ms)
	}
	t, err := broker.As[broker.Transactor](c.broker)
	if err != nil {
		return slices.Repeat([]error{errNoTransactor}, len(ms))
	}
	return t.EnqueueTx(ctx, tx, ms)
}
