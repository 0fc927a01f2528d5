package dtask

import (
	"context"
	"slices"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// An EnqueueFunc enqueues messages. The result has an error, or nil, for each.
type EnqueueFunc func(ctx context.Context, ms []*Message) []error

// EnqueueMiddleware wraps the enqueueing of a client: it may add headers to
// messages, refuse them with errors, or observe what becomes of them. Delay
// and the tick of a schedule pass one message, DelayMany a batch.
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
	if c.enqueue == nil && broker.Transaction(ctx) == nil {
		return c.broker.Enqueue(ctx, m)
	}
	return c.sendMany(ctx, []*Message{m})[0]
}

// sendMany enqueues a batch.
func (c *Client) sendMany(ctx context.Context, ms []*Message) []error {
	if c.enqueue == nil {
		return c.deliver(ctx, ms)
	}
	return c.enqueue(ctx, ms)
}

// through returns last within the middleware of the client.
func (c *Client) through(last EnqueueFunc) EnqueueFunc {
	for _, mw := range slices.Backward(c.middleware) {
		last = mw(last)
	}
	return last
}

// deliver hands messages to the broker, in the transaction of ctx if it has
// one.
func (c *Client) deliver(ctx context.Context, ms []*Message) []error {
	tx := broker.Transaction(ctx)
	if tx == nil {
		return c.broker.EnqueueMany(ctx, ms)
	}
	t, err := broker.As[broker.Transactor](c.broker)
	if err != nil {
		return slices.Repeat([]error{errNoTransactor}, len(ms))
	}
	return t.EnqueueTx(ctx, tx, ms)
}
