package sqlite

import (
	"context"
	"database/sql/driver"
	"slices"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
)

var selectDead = "SELECT " + namesOf(everyColumn) + " FROM dtask_messages INDEXED BY dtask_dead WHERE state = 2 AND queue = ? ORDER BY due, seq LIMIT CAST(? AS INTEGER)"

// DeadLetters implements [broker.Admin]. What cannot be read of a damaged
// row is left zero.
func (b *Broker) DeadLetters(ctx context.Context, queue string, limit int) ([]*broker.Message, error) {
	var dead []*broker.Message
	err := b.read(ctx, func(c *conn) error {
		return c.query(func(row []driver.Value) error {
			m := new(broker.Message)
			readMessage(m, row)
			m.NotBefore = time.Time{} // the column says since when it is dead
			dead = append(dead, m)
			return nil
		}, selectDead, queue, int64(limit))
	})
	return dead, err
}

const (
	allDead    = "SELECT seq FROM dtask_messages INDEXED BY dtask_dead WHERE state = 2 AND queue = ? ORDER BY due, seq"
	allWaiting = "SELECT seq FROM dtask_messages INDEXED BY dtask_waiting WHERE state = 0 AND quarantine = 0 AND queue = ?1" +
		" UNION ALL SELECT seq FROM dtask_messages INDEXED BY dtask_quarantine WHERE state = 0 AND quarantine > 0 AND queue = ?1"

	// revived makes a dead letter a message that is due now, which is its argument
	// twice.
	revived = "state = 0, due = ?, expires = CASE WHEN expires > ? THEN expires END, attempt = 1, crashes = 0, quarantine = 0, handed_back = 0, handed_back_since = NULL"

	retryDead     = "UPDATE dtask_messages SET " + revived + " WHERE state = 2 AND queue = ?"
	deleteDead    = "DELETE FROM dtask_messages WHERE state = 2 AND queue = ?"
	deleteWaiting = "DELETE FROM dtask_messages WHERE state = 0 AND queue = ?"
	withSeq       = " AND seq = ?"
	withID        = " AND id = ?"
)

// RetryDead implements [broker.Admin].
func (b *Broker) RetryDead(ctx context.Context, queue string, ids ...string) (int, error) {
	now := time.Now().UnixMilli()
	if len(ids) == 0 {
		return b.changeAll(ctx, allDead, queue, retryDead, now, now, queue)
	}
	return execEach(ctx, b, ids, retryDead+withID, now, now, queue)
}

// DeleteDead implements [broker.Admin].
func (b *Broker) DeleteDead(ctx context.Context, queue string, ids ...string) (int, error) {
	if len(ids) == 0 {
		return b.changeAll(ctx, allDead, queue, deleteDead, queue)
	}
	return execEach(ctx, b, ids, deleteDead+withID, queue)
}

// Purge implements [broker.Admin].
func (b *Broker) Purge(ctx context.Context, queue string) (int, error) {
	return b.changeAll(ctx, allWaiting, queue, deleteWaiting, queue)
}

// changeAll changes the messages that all finds in the queue now. Those that
// come later are left alone: there is no end to them while others enqueue, or
// while what is retried fails at once.
func (b *Broker) changeAll(ctx context.Context, all, queue, change string, args ...driver.Value) (int, error) {
	var seqs []int64
	if err := b.read(ctx, func(c *conn) error {
		return c.query(func(row []driver.Value) error {
			seqs = append(seqs, row[0].(int64))
			return nil
		}, all, queue)
	}); err != nil {
		return 0, err
	}
	return execEach(ctx, b, seqs, change+withSeq, args...)
}

// step is how many messages a caller stores or changes in one transaction, so that
// others are not kept waiting.
const step = 1000

// changeEach changes something for each item, and returns how many rows that changed.
func changeEach[T any](ctx context.Context, b *Broker, items []T, change func(*conn, T) (int, error)) (total int, err error) {
	for chunk := range slices.Chunk(items, step) {
		n := 0
		if err := b.writer.do(ctx, func(c *conn) error {
			n = 0
			for _, item := range chunk {
				changed, err := change(c, item)
				if err != nil {
					return err
				}
				n += changed
			}
			return nil
		}); err != nil {
			return total, err
		}
		total += n
	}
	return total, nil
}

// execEach executes a statement for each key, its last argument.
func execEach[K int64 | string](ctx context.Context, b *Broker, keys []K, change string, args ...driver.Value) (int, error) {
	return changeEach(ctx, b, keys, func(c *conn, key K) (int, error) {
		return c.exec(change, append(slices.Clone(args), driver.Value(key))...)
	})
}
