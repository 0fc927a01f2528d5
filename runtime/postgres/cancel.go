package postgres

import (
	"context"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/dtaskhq/dtask/runtime/broker"
)

var _ broker.Canceller = (*Broker)(nil)

// A message that waits is deleted when it is cancelled. The row of one that runs is
// marked, from where its process hears of it. Whatever makes it wait again, an outcome,
// the end of its consumer or the death of its process, executes endCancelled in the same
// transaction: nobody sees a marked message wait. A dead letter has no mark.
const (
	lockAll       = "SELECT id, state FROM dtask_messages WHERE id = ANY ($1::text[]) ORDER BY id FOR UPDATE"
	markRunning   = "UPDATE dtask_messages SET cancelled = true WHERE id = ANY ($1::text[]) AND state = 1 AND NOT cancelled"
	deleteByID    = "WITH gone AS (DELETE FROM dtask_messages WHERE id = ANY ($1::text[]) AND state = 0 RETURNING seq, id, task, keep)," + keepCancelled
	wereCancelled = "SELECT id FROM dtask_results WHERE id = ANY ($1::text[]) AND cancelled AND expires > statement_timestamp()"

	endCancelled = "WITH gone AS (DELETE FROM dtask_messages WHERE state = 0 AND cancelled RETURNING seq, id, task, keep)," + keepCancelled

	// keptCancelled keeps, of the messages that are gone, that they were cancelled.
	keptCancelled = " kept AS (INSERT INTO dtask_results (id, task, value, expires, cancelled)" +
		" SELECT id, task, NULL, statement_timestamp() + keep * interval '1 millisecond', true FROM gone WHERE keep > 0" + replaceResult + ")"
	keepCancelled = keptCancelled + " SELECT seq FROM gone"

	selectCancelled = "SELECT id, owner, claim FROM dtask_messages WHERE state = 1 AND cancelled"
)

// A cancelledSet is the messages that were cancelled while they ran: the claims by id.
// It is not changed any more when others can see it.
type cancelledSet map[string]fence

// Cancel implements [broker.Canceller].
func (b *Broker) Cancel(ctx context.Context, ids ...string) (all []broker.Cancellation, err error) {
	for chunk := range slices.Chunk(ids, step) {
		whats := make(map[string]broker.Cancellation)
		err := b.transact(ctx, func(ctx context.Context, tx pgx.Tx) error {
			clear(whats)
			return b.cancel(ctx, tx, chunk, whats)
		})
		if err != nil {
			return all, err
		}
		for _, id := range chunk {
			what, ok := whats[id]
			if !ok {
				what = broker.CancelNothing
			}
			all = append(all, what)
		}
		b.tellControls(nil)
		b.waiters.changed()
		b.notifier.notify(resultsTopic)
	}
	return all, nil
}

// cancel cancels messages, and notes what that meant for those that were there. They are
// locked first: none of them moves from one state to another meanwhile.
func (b *Broker) cancel(ctx context.Context, tx pgx.Tx, ids []string, whats map[string]broker.Cancellation) error {
	if _, err := tx.Exec(ctx, planned); err != nil {
		return err
	}
	r, err := tx.Query(ctx, b.in(lockAll), ids)
	if err := rows(r, err, func(r pgx.Rows) error {
		var id string
		var state int16
		err := r.Scan(&id, &state)
		switch state {
		case 0:
			whats[id] = broker.CancelDone
		case 1:
			whats[id] = broker.CancelAsked
		default:
			whats[id] = broker.CancelNothing
		}
		return err
	}); err != nil {
		return err
	}
	for _, sql := range []string{markRunning, deleteByID} {
		if _, err := tx.Exec(ctx, b.in(sql), ids); err != nil {
			return err
		}
	}
	r, err = tx.Query(ctx, b.in(wereCancelled), ids)
	return rows(r, err, func(r pgx.Rows) error {
		var id string
		err := r.Scan(&id)
		if _, stored := whats[id]; !stored {
			whats[id] = broker.CancelDone // somebody was faster
		}
		return err
	})
}

// Cancelled implements [broker.Delivery].
func (d *delivery) Cancelled() bool {
	set := d.consumer.b.claimer.cancelled.Load()
	if set == nil || len(*set) == 0 {
		return false
	}
	f, ok := (*set)[d.message.ID]
	return ok && f == fence{d.owner, d.claim}
}

// readCancelled reads the rows of selectCancelled.
func readCancelled(r pgx.Rows, err error, set cancelledSet) error {
	return rows(r, err, func(r pgx.Rows) error {
		var id string
		var f fence
		err := r.Scan(&id, &f.owner, &f.claim)
		set[id] = f
		return err
	})
}

// setCancelled takes over which messages are cancelled, and tells their consumers of
// those that are new.
func (cl *claimer) setCancelled(set cancelledSet, consumers []*consumer) {
	before := cl.cancelled.Swap(&set)
	for id, f := range set {
		if before != nil && (*before)[id] == f {
			continue
		}
		for _, c := range consumers {
			if c.id.Load() == f.owner && c.tell != nil {
				c.tell(id)
			}
		}
	}
}

// free makes messages wait again by a statement, and ends those of them that were
// cancelled. It returns how many the statement has changed.
func (b *Broker) free(ctx context.Context, q querier, sql string, args ...any) (int64, error) {
	var batch pgx.Batch
	batch.Queue(b.in(sql), args...)
	batch.Queue(b.in(endCancelled))
	results := q.SendBatch(ctx, &batch)
	tag, err := results.Exec()
	if err != nil {
		results.Close()
		return 0, err
	}
	return tag.RowsAffected(), results.Close()
}
