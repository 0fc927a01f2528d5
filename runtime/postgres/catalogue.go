package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/dtaskhq/dtask/runtime/broker"
)

var _ broker.Catalogue = (*Broker)(nil)

const (
	enterTask = "INSERT INTO dtask_tasks (task, schema, queue, priority, attempts, keep, shape, seen) VALUES ($1, $2, $3, $4, $5, $6, $7::text::jsonb, statement_timestamp())" +
		" ON CONFLICT (task, schema) DO UPDATE SET queue = excluded.queue, priority = excluded.priority, attempts = excluded.attempts," +
		" keep = excluded.keep, shape = excluded.shape, seen = excluded.seen"

	// forgetVersions deletes old versions of the arguments of a task, but not the last.
	forgetVersions = "DELETE FROM dtask_tasks t WHERE seen < statement_timestamp() - $1 * interval '1 millisecond'" +
		" AND EXISTS (SELECT FROM dtask_tasks newer WHERE newer.task = t.task AND newer.seen > t.seen)"

	// versionsKept is how long an old version is known after a process had it.
	versionsKept = 30 * 24 * time.Hour
)

// Catalogue implements [broker.Catalogue]. The SQL function dtask_delay reads it
// (migrations/).
func (b *Broker) Catalogue(ctx context.Context, tasks []broker.CatalogueTask) error {
	return b.transact(ctx, func(ctx context.Context, tx pgx.Tx) error {
		if err := b.alone(ctx, tx, "catalogue"); err != nil { // many processes start at once
			return err
		}
		var batch pgx.Batch
		for _, t := range tasks {
			var shape *string
			if t.Shape != nil {
				text := string(t.Shape)
				shape = &text
			}
			batch.Queue(b.in(enterTask), t.Name, t.Schema, t.Queue, int16(t.Priority), int32(t.Attempts), t.Keep.Milliseconds(), shape)
		}
		batch.Queue(b.in(forgetVersions), versionsKept.Milliseconds())
		return tx.SendBatch(ctx, &batch).Close()
	})
}
