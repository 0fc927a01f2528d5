package postgres

import (
	"context"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// DeadLetters implements [broker.Admin]. What cannot be read of a damaged row is left
// zero.
func (b *Broker) DeadLetters(ctx context.Context, queue string, limit int) (dead []*broker.Message, err error) {
	err = b.call(ctx, func(ctx context.Context, q querier) error {
		dead = nil
		r, err := q.Query(ctx, b.in("SELECT seq, state, due, "+allNames+" FROM dtask_messages WHERE state = 2 AND queue = $1 ORDER BY due, seq LIMIT $2"), queue, limit)
		return rows(r, err, func(r pgx.Rows) error {
			s, _, err := readStoredRow(r, time.Time{})
			dead = append(dead, s.Message)
			return err
		})
	})
	return dead, err
}

const (
	// revived makes a dead letter a message that is due now.
	revived = "state = 0, due = statement_timestamp(), expires = CASE WHEN expires > statement_timestamp() THEN expires END," +
		" attempt = 1, crashes = 0, quarantine = 0, handed_back = 0, handed_back_since = NULL"

	selectAllDead    = "SELECT seq FROM dtask_messages WHERE state = 2 AND queue = $1 ORDER BY due, seq"
	selectAllWaiting = "SELECT seq FROM dtask_messages WHERE state = 0 AND queue = $1"

	retryDead     = "UPDATE dtask_messages SET " + revived + " WHERE state = 2 AND queue = $1 AND seq = ANY ($2::bigint[])"
	retryDeadIDs  = "UPDATE dtask_messages SET " + revived + " WHERE state = 2 AND queue = $1 AND id = ANY ($2::text[])"
	deleteDead    = "DELETE FROM dtask_messages WHERE state = 2 AND queue = $1 AND seq = ANY ($2::bigint[])"
	deleteDeadIDs = "DELETE FROM dtask_messages WHERE state = 2 AND queue = $1 AND id = ANY ($2::text[])"
	deleteWaiting = "DELETE FROM dtask_messages WHERE state = 0 AND queue = $1 AND seq = ANY ($2::bigint[])"
)

// RetryDead implements [broker.Admin].
func (b *Broker) RetryDead(ctx context.Context, queue string, ids ...string) (int, error) {
	defer b.mayWait(queue)
	if len(ids) > 0 {
		return changeEach(ctx, b, queue, retryDeadIDs, ids)
	}
	return b.changeAll(ctx, queue, selectAllDead, retryDead)
}

// DeleteDead implements [broker.Admin].
func (b *Broker) DeleteDead(ctx context.Context, queue string, ids ...string) (int, error) {
	if len(ids) > 0 {
		return changeEach(ctx, b, queue, deleteDeadIDs, ids)
	}
	return b.changeAll(ctx, queue, selectAllDead, deleteDead)
}

// Purge implements [broker.Admin].
func (b *Broker) Purge(ctx context.Context, queue string) (int, error) {
	return b.changeAll(ctx, queue, selectAllWaiting, deleteWaiting)
}

// mayWait tells the consumers of a queue that messages may wait.
func (b *Broker) mayWait(queue string) {
	b.claimer.hint(queue, hint{})
	b.notifier.notify(queue)
}

// changeAll changes the messages that all finds in the queue now. Those that come
// later are left alone: there is no end to them while others enqueue, or while what is
// retried fails at once.
func (b *Broker) changeAll(ctx context.Context, queue, all, change string) (int, error) {
	var seqs []int64
	if err := b.call(ctx, func(ctx context.Context, q querier) error {
		seqs = nil
		r, err := q.Query(ctx, b.in(all), queue)
		return rows(r, err, func(r pgx.Rows) error {
			var seq int64
			err := r.Scan(&seq)
			seqs = append(seqs, seq)
			return err
		})
	}); err != nil {
		return 0, err
	}
	return changeEach(ctx, b, queue, change, seqs)
}

// step is how many messages a caller changes in one transaction, so that others are
// not kept waiting.
const step = 1000

// changeEach executes a statement for keys, its second argument, and returns how many
// messages that changed.
func changeEach[K int64 | string](ctx context.Context, b *Broker, queue, change string, keys []K) (total int, err error) {
	for chunk := range slices.Chunk(keys, step) {
		n := 0
		if err := b.call(ctx, func(ctx context.Context, q querier) error {
			var batch pgx.Batch
			batch.Queue(planned)
			batch.Queue(b.in(change), queue, chunk)
			var err error
			n, err = affected(ctx, q, &batch)
			return err
		}); err != nil {
			return total, err
		}
		total += n
	}
	return total, nil
}

// affected sends a batch, and returns how many rows all but its first statement
// have changed.
func affected(ctx context.Context, q querier, batch *pgx.Batch) (n int, err error) {
	results := q.SendBatch(ctx, batch)
	for i := range batch.Len() {
		tag, err := results.Exec()
		if err != nil {
			results.Close()
			return 0, err
		}
		if i > 0 {
			n += int(tag.RowsAffected())
		}
	}
	return n, results.Close()
}
