package sqlite

import (
	"cmp"
	"context"
	"database/sql/driver"
	"maps"
	"slices"
	"time"

	dtask "github.com/dtaskhq/dtask/runtime"
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
		return dtask.ErrClosed
	}
	if b.reader == nil {
		c, err := connect(ctx, b.dsn)
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

// Queues implements [dtask.Inspector].
func (b *Broker) Queues(ctx context.Context) ([]dtask.QueueState, error) {
	states := make(map[string]*dtask.QueueState)
	state := func(queue driver.Value) *dtask.QueueState {
		name := queue.(string)
		if states[name] == nil {
			states[name] = &dtask.QueueState{Queue: name}
		}
		return states[name]
	}
	err := b.read(ctx, func(c *conn) error {
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
	var list []dtask.QueueState
	for _, s := range slices.SortedFunc(maps.Values(states), func(a, b *dtask.QueueState) int { return cmp.Compare(a.Queue, b.Queue) }) {
		list = append(list, *s)
	}
	return list, nil
}

const (
	selectDead = "SELECT " + columns + " FROM dtask_messages INDEXED BY dtask_dead WHERE state = 2 AND queue = ? ORDER BY due, seq LIMIT CAST(? AS INTEGER)"

	retry      = "UPDATE dtask_messages SET state = 0, due = ?, attempt = 1, crashes = 0, quarantine = 0, returned = 0, returned_since = NULL"
	retryDead  = retry + someDead
	deleteDead = "DELETE FROM dtask_messages" + someDead
	someDead   = " WHERE seq IN (SELECT seq FROM dtask_messages INDEXED BY dtask_dead WHERE state = 2 AND queue = ? ORDER BY due, seq LIMIT ?)"
	thisDead   = " WHERE id = ? AND queue = ? AND state = 2"

	purgeWaiting = "DELETE FROM dtask_messages WHERE seq IN (SELECT seq FROM dtask_messages INDEXED BY dtask_waiting" +
		" WHERE state = 0 AND quarantine = 0 AND queue = ? LIMIT ?)"
	purgeQuarantine = "DELETE FROM dtask_messages WHERE seq IN (SELECT seq FROM dtask_messages INDEXED BY dtask_quarantine" +
		" WHERE state = 0 AND quarantine > 0 AND queue = ? LIMIT ?)"
)

// DeadLetters implements [dtask.Inspector]. What cannot be read of a damaged
// row is left zero.
func (b *Broker) DeadLetters(ctx context.Context, queue string, limit int) ([]*dtask.Message, error) {
	var dead []*dtask.Message
	err := b.read(ctx, func(c *conn) error {
		return c.query(func(row []driver.Value) error {
			m := new(dtask.Message)
			readMessage(m, row)
			m.NotBefore = time.Time{} // the column says since when it is dead
			dead = append(dead, m)
			return nil
		}, selectDead, queue, int64(limit))
	})
	return dead, err
}

// step is how many messages an operation touches in one transaction, so that
// others are not kept waiting.
const step = 1000

// RetryDead implements [dtask.Inspector].
func (b *Broker) RetryDead(ctx context.Context, queue string, ids ...string) (int, error) {
	now := time.Now().UnixMilli()
	if len(ids) == 0 {
		return b.inSteps(ctx, retryDead, now, queue, int64(step))
	}
	return b.each(ctx, ids, func(c *conn, id string) (int, error) {
		return c.exec(retry+thisDead, now, id, queue)
	})
}

// DeleteDead implements [dtask.Inspector].
func (b *Broker) DeleteDead(ctx context.Context, queue string, ids ...string) (int, error) {
	if len(ids) == 0 {
		return b.inSteps(ctx, deleteDead, queue, int64(step))
	}
	return b.each(ctx, ids, func(c *conn, id string) (int, error) {
		return c.exec("DELETE FROM dtask_messages"+thisDead, id, queue)
	})
}

// each calls change for each id, and returns how many rows that changed.
func (b *Broker) each(ctx context.Context, ids []string, change func(*conn, string) (int, error)) (total int, err error) {
	for chunk := range slices.Chunk(ids, step) {
		n := 0
		if err := b.writer.do(ctx, func(c *conn) error {
			n = 0
			for _, id := range chunk {
				changed, err := change(c, id)
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

// inSteps executes a statement again and again, each time in another
// transaction, until it changes less than a full step.
func (b *Broker) inSteps(ctx context.Context, sql string, args ...driver.Value) (total int, err error) {
	for {
		n := 0
		err := b.writer.do(ctx, func(c *conn) (err error) {
			n, err = c.exec(sql, args...)
			return err
		})
		if err != nil {
			return total, err
		}
		total += n
		if n < step {
			return total, nil
		}
	}
}

// Purge implements [dtask.Inspector].
func (b *Broker) Purge(ctx context.Context, queue string) (int, error) {
	total, err := b.inSteps(ctx, purgeWaiting, queue, int64(step))
	if err != nil {
		return total, err
	}
	n, err := b.inSteps(ctx, purgeQuarantine, queue, int64(step))
	return total + n, err
}

// Pause implements [dtask.Inspector].
func (b *Broker) Pause(ctx context.Context, queue string) error {
	if err := dtask.ValidateQueue(queue); err != nil {
		return err
	}
	return b.setPaused(ctx, queue, 1)
}

// Resume implements [dtask.Inspector].
func (b *Broker) Resume(ctx context.Context, queue string) error { return b.setPaused(ctx, queue, 0) }

func (b *Broker) setPaused(ctx context.Context, queue string, paused int64) error {
	return b.writer.do(ctx, func(c *conn) error {
		_, err := c.exec("INSERT INTO dtask_queues (name, paused) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET paused = excluded.paused", queue, paused)
		return err
	})
}
