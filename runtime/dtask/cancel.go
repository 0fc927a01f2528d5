package dtask

import (
	"context"
	"fmt"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// Cancel cancels the task. If it waits, it will not run. If it runs, its context ends,
// with [ErrCancelled] as the cause, and what it returns decides: with an error it is
// cancelled, and not retried; a function that ignores its context and returns nil is
// done. Cancel does not wait for that: [Handle.Wait] does, and says which it was.
//
// Like Delay, Cancel uses the client of ctx, and its transaction: on PostgreSQL the
// cancel counts when that is committed, and other brokers refuse it. The error wraps [ErrNoMessage] if the task
// neither waits nor runs any more. RabbitMQ cannot tell: there a cancel counts for 7
// days, whether such a message comes or not (docs/results.md).
func (h Handle[R]) Cancel(ctx context.Context) error {
	c, err := clientFor(ctx)
	if err != nil {
		return err
	}
	cancel, err := c.canceller(ctx)
	if err != nil {
		return fmt.Errorf("dtask: cancel %s: %w", h.ID, err)
	}
	limited, own := c.limit.apply(ctx)
	defer own.end()
	switch what, err := cancel(limited, h.ID); {
	case err != nil:
		return fmt.Errorf("dtask: cancel %s: %w", h.ID, c.limit.explain(ctx, limited, err))
	case what[0] == broker.CancelNothing:
		return fmt.Errorf("dtask: cancel %s: %w", h.ID, ErrNoMessage)
	}
	return nil
}

// canceller returns what cancels in the transaction of ctx, if it has one.
func (c *Client) canceller(ctx context.Context) (func(context.Context, ...string) ([]broker.Cancellation, error), error) {
	tx := broker.Transaction(ctx)
	if tx == nil {
		canceller, err := broker.As[broker.Canceller](c.broker)
		if err != nil {
			return nil, err
		}
		return canceller.Cancel, nil
	}
	canceller, err := broker.As[broker.TxCanceller](c.broker)
	if err != nil {
		return nil, errNoTxCanceller
	}
	return func(ctx context.Context, ids ...string) ([]broker.Cancellation, error) {
		return canceller.CancelTx(ctx, tx, ids...)
	}, nil
}

// cancelled returns the outcome of a message that was cancelled and ended with err.
func cancelled(err error) Outcome { return Outcome{Kind: OutcomeCancelled, Err: err} }

// cancel ends the context of the task that runs for a message, if one does here. The
// broker calls it.
func (w *Worker) cancel(id string) {
	for _, s := range w.openSlots() {
		if e := s.current.Load(); e != nil && e.known.ID == id {
			e.cancelled.Store(true)
			if c := e.context.Load(); c != nil {
				c.cancel(ErrCancelled)
			}
		}
	}
}

// begin notes the context of the task, which ends at once if it is cancelled already.
func (e *execution) begin(c *taskContext) {
	e.context.Store(c)
	if e.cancelled.Load() {
		c.cancel(ErrCancelled)
	}
}
