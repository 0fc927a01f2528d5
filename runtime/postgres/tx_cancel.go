package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/dtaskhq/dtask/runtime/broker"
)

var _ broker.TxCanceller = (*Broker)(nil)

const (
	// cancelInTx deletes a message that waits, and leaves an order for one that runs:
	// its row stays unlocked, for the worker settles it together with others. The
	// statement sees one moment; a message that was claimed after it is asked for again.
	cancelInTx = "WITH gone AS (DELETE FROM dtask_messages WHERE id = $1 AND state = 0 RETURNING seq, id, task, keep)," +
		keptCancelled + "," +
		" asked AS (INSERT INTO dtask_cancels (message) SELECT seq FROM dtask_messages WHERE id = $1 AND state = 1 RETURNING message)" +
		" SELECT CASE WHEN EXISTS (SELECT FROM gone) THEN 'cancelled'" +
		" WHEN EXISTS (SELECT FROM asked) THEN 'asked'" +
		" WHEN EXISTS (SELECT FROM dtask_messages WHERE id = $1 AND state = 0) THEN 'again'" +
		" WHEN EXISTS (SELECT FROM dtask_results WHERE id = $1 AND cancelled AND expires > statement_timestamp()) THEN 'cancelled'" +
		" ELSE 'nothing' END"

	anyCancels  = "SELECT EXISTS (SELECT FROM dtask_cancels)"
	takeCancels = "WITH orders AS (DELETE FROM dtask_cancels WHERE seq = ANY (ARRAY(SELECT seq FROM dtask_cancels ORDER BY seq LIMIT $1 FOR UPDATE SKIP LOCKED)) RETURNING message)" +
		" SELECT id FROM dtask_messages WHERE seq IN (SELECT message FROM orders)"

	// cancelsAtOnce is how many orders a process takes at a time.
	cancelsAtOnce = 500
)

// CancelTx implements [broker.TxCanceller].
func (b *Broker) CancelTx(ctx context.Context, tx any, ids ...string) (all []broker.Cancellation, err error) {
	u, err := b.usable(tx)
	if err == nil {
		err = b.checkStore(ctx, u)
	}
	for _, id := range ids {
		what := "again"
		for err == nil && what == "again" {
			what, err = u.text(ctx, b.in(cancelInTx), id)
		}
		if err != nil {
			return all, b.inTx(err)
		}
		all = append(all, broker.Cancellation(what))
	}
	b.notifier.laterControls()
	return all, err
}

// usable returns a transaction as one that this package knows.
func (b *Broker) usable(tx any) (userTx, error) {
	u, ok := tx.(userTx)
	switch {
	case !ok:
		return u, fmt.Errorf("%w: it is not from WithTx or WithSQLTx of package postgres", broker.ErrTransaction)
	case u.transaction == nil:
		return u, fmt.Errorf("%w: it is nil", broker.ErrTransaction)
	case b.closed.Load():
		return u, broker.ErrClosed
	}
	return u, nil
}

// obeyCancels cancels what transactions of the application have left to be cancelled.
func (b *Broker) obeyCancels(ctx context.Context, q querier) error {
	var some bool
	if err := q.QueryRow(ctx, b.in(anyCancels)).Scan(&some); err != nil || !some {
		return err
	}
	err := pgx.BeginFunc(ctx, q.(pgxBeginner), func(tx pgx.Tx) error {
		r, _ := tx.Query(ctx, b.in(takeCancels), cancelsAtOnce) // its error is that of the rows
		ids, err := pgx.CollectRows(r, pgx.RowTo[string])
		if err != nil || len(ids) == 0 {
			return err
		}
		return b.cancel(ctx, tx, ids, make(map[string]broker.Cancellation))
	})
	b.notifier.notify(controlsTopic, resultsTopic) // the worker may be in another process
	b.waiters.changed()
	return err
}
