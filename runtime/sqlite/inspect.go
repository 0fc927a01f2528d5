package sqlite

import (
	"cmp"
	"context"
	"database/sql/driver"
	"maps"
	"slices"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// read runs f on the connection for reading, which sees what is committed and
// keeps no writer waiting.
func (b *Broker) read(ctx context.Context, f func(*conn) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	b.readerMu.Lock()
	defer b.readerMu.Unlock()
	if b.closed {
		return broker.ErrClosed
	}
	if b.reader == nil {
		c, err := connect(ctx, b.target)
		if err != nil {
			return explain(b.file, err)
		}
		if err := c.script("PRAGMA query_only = ON; PRAGMA busy_timeout = " + busyTimeout); err != nil {
			c.close()
			return explain(b.file, err)
		}
		b.reader = c
	}
	return explain(b.file, f(b.reader))
}

// readSnapshot is like read, and all that f reads is of one moment.
func (b *Broker) readSnapshot(ctx context.Context, f func(*conn) error) error {
	return b.read(ctx, func(c *conn) error {
		if _, err := c.exec("BEGIN"); err != nil {
			return err
		}
		defer c.exec("ROLLBACK") // nothing was written
		return f(c)
	})
}

// Queues implements [broker.Admin].
func (b *Broker) Queues(ctx context.Context) ([]broker.QueueState, error) {
	states := make(map[string]*broker.QueueState)
	state := func(queue driver.Value) *broker.QueueState {
		name := queue.(string)
		if states[name] == nil {
			states[name] = &broker.QueueState{Queue: name}
		}
		return states[name]
	}
	err := b.readSnapshot(ctx, func(c *conn) error {
		for _, q := range []struct {
			sql  string
			args []driver.Value
			note func(row []driver.Value)
		}{
			{
				"SELECT name, paused FROM dtask_queues", nil,
				func(row []driver.Value) { state(row[0]).Paused = row[1].(int64) != 0 },
			},
			{
				"SELECT queue, count(*), sum(due > ?) FROM dtask_messages INDEXED BY dtask_waiting WHERE state = 0 AND quarantine = 0 GROUP BY queue",
				[]driver.Value{time.Now().UnixMilli()},
				func(row []driver.Value) {
					s, delayed := state(row[0]), int(row[2].(int64))
					s.Ready, s.Delayed = int(row[1].(int64))-delayed, delayed
				},
			},
			{
				"SELECT queue, count(*) FROM dtask_messages INDEXED BY dtask_quarantine WHERE state = 0 AND quarantine > 0 GROUP BY queue", nil,
				func(row []driver.Value) { state(row[0]).Ready += int(row[1].(int64)) },
			},
			{
				"SELECT queue, count(*) FROM dtask_messages INDEXED BY dtask_running WHERE state = 1 GROUP BY queue", nil,
				func(row []driver.Value) { state(row[0]).Running = int(row[1].(int64)) },
			},
			{
				"SELECT queue, count(*) FROM dtask_messages INDEXED BY dtask_dead WHERE state = 2 GROUP BY queue", nil,
				func(row []driver.Value) { state(row[0]).Dead = int(row[1].(int64)) },
			},
		} {
			if err := c.query(func(row []driver.Value) error { q.note(row); return nil }, q.sql, q.args...); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	var list []broker.QueueState
	for _, s := range slices.SortedFunc(maps.Values(states), func(a, b *broker.QueueState) int { return cmp.Compare(a.Queue, b.Queue) }) {
		list = append(list, *s)
	}
	return list, nil
}

const (
	selectDead = "SELECT " + columns + " FROM dtask_messages INDEXED BY dtask_dead WHERE state = 2 AND queue = ? ORDER BY due, seq LIMIT CAST(? AS INTEGER)"

	allDead    = "SELECT seq FROM dtask_messages INDEXED BY dtask_dead WHERE state = 2 AND queue = ? ORDER BY due, seq"
	allWaiting = "SELECT seq FROM dtask_messages INDEXED BY dtask_waiting WHERE state = 0 AND quarantine = 0 AND queue = ?1" +
		" UNION ALL SELECT seq FROM dtask_messages INDEXED BY dtask_quarantine WHERE state = 0 AND quarantine > 0 AND queue = ?1"

	retryDead = "UPDATE dtask_messages SET state = 0, due = ?1, expires = CASE WHEN expires > ?1 THEN expires END, attempt = 1, crashes = 0, quarantine = 0, handed_back = 0, handed_back_since = NULL" +
		" WHERE state = 2 AND queue = ?"
	deleteDead    = "DELETE FROM dtask_messages WHERE state = 2 AND queue = ?"
	deleteWaiting = "DELETE FROM dtask_messages WHERE state = 0 AND queue = ?"
	withSeq       = " AND seq = ?"
	withID        = " AND id = ?"
)

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

// RetryDead implements [broker.Admin].
func (b *Broker) RetryDead(ctx context.Context, queue string, ids ...string) (int, error) {
	now := time.Now().UnixMilli()
	if len(ids) == 0 {
		return b.changeAll(ctx, allDead, queue, retryDead, now, queue)
	}
	return changeEach(ctx, b, ids, retryDead+withID, now, queue)
}

// DeleteDead implements [broker.Admin].
func (b *Broker) DeleteDead(ctx context.Context, queue string, ids ...string) (int, error) {
	if len(ids) == 0 {
		return b.changeAll(ctx, allDead, queue, deleteDead, queue)
	}
	return changeEach(ctx, b, ids, deleteDead+withID, queue)
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
	return changeEach(ctx, b, seqs, change+withSeq, args...)
}

// step is how many messages an operation changes in one transaction, so that
// others are not kept waiting.
const step = 1000

// changeEach executes a statement for each key, its last argument, and returns
// how many rows that changed.
func changeEach[K int64 | string](ctx context.Context, b *Broker, keys []K, change string, args ...driver.Value) (total int, err error) {
	args = append(args, nil)
	for chunk := range slices.Chunk(keys, step) {
		n := 0
		if err := b.writer.do(ctx, func(c *conn) error {
			n = 0
			for _, key := range chunk {
				args[len(args)-1] = key
				changed, err := c.exec(change, args...)
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

// Pause implements [broker.Admin].
func (b *Broker) Pause(ctx context.Context, queue string) error {
	if err := broker.ValidateQueue(queue); err != nil {
		return err
	}
	return b.setPaused(ctx, queue, 1)
}

// Resume implements [broker.Admin].
func (b *Broker) Resume(ctx context.Context, queue string) error { return b.setPaused(ctx, queue, 0) }

func (b *Broker) setPaused(ctx context.Context, queue string, paused int64) error {
	return b.writer.do(ctx, func(c *conn) error {
		_, err := c.exec("INSERT INTO dtask_queues (name, paused) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET paused = excluded.paused", queue, paused)
		return err
	})
}
