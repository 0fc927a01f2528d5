package sqlite

import (
	"context"
	"database/sql/driver"
	"fmt"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
)

var _ broker.ResultStore = (*Broker)(nil)

// result is what is kept of a message that is done.
type result struct {
	id, task string
	value    []byte
	expires  time.Time

	cancelled bool
}

func (w *writer) newResult(m *broker.Message, value []byte) *result {
	return &result{id: m.ID, task: m.Task, value: value, expires: w.soberNow().Add(m.Keep)}
}

// keepResult stores a result, and deletes some that have expired.
func (w *writer) keepResult(r *result) error {
	if _, err := w.conn.exec("INSERT OR REPLACE INTO dtask_results (id, task, value, expires, cancelled) VALUES (?, ?, ?, ?, ?)",
		r.id, r.task, r.value, r.expires.UnixMilli(), r.cancelled); err != nil {
		return err
	}
	_, err := w.deleteExpired(2) // more than one comes: they do not pile up
	return err
}

// deleteExpired deletes up to limit results that have expired.
func (w *writer) deleteExpired(limit int) (int, error) {
	return w.conn.exec("DELETE FROM dtask_results WHERE seq IN (SELECT seq FROM dtask_results WHERE expires <= ? ORDER BY expires LIMIT ?)",
		w.soberNow().UnixMilli(), int64(limit))
}

// Result implements [broker.ResultStore].
func (b *Broker) Result(ctx context.Context, id string) (broker.Result, error) {
	w := b.writer
	w.waiters.enter()
	defer w.waiters.leave()
	w.wakeUp() // it looks for the commits of other processes while somebody waits
	for {
		change := w.waiters.next()
		r, pending, err := b.lookUpResult(ctx, id)
		if err != nil || !pending {
			return r, err
		}
		select {
		case <-change:
		case <-w.done:
			return r, broker.ErrClosed
		case <-ctx.Done():
			return r, fmt.Errorf("%w: the task has no outcome yet", ctx.Err())
		}
	}
}

var selectOutcome = "SELECT state, " + namesOf(everyColumn) + " FROM dtask_messages WHERE id = ?"

// lookUpResult returns the outcome of a message, or that it is still to come.
// The message is looked up first: when it is gone its result is there already.
func (b *Broker) lookUpResult(ctx context.Context, id string) (r broker.Result, pending bool, err error) {
	found := false
	err = b.read(ctx, func(c *conn) error {
		err := c.query(func(row []driver.Value) error {
			found, pending = true, row[0].(int64) != 2
			var m broker.Message
			if err := readMessage(&m, row[1:]); err != nil && !pending {
				m.Failures = append(m.Failures, broker.Failure{Kind: broker.FailureUndecodable, Error: err.Error()})
			}
			if m.Keep <= 0 {
				return fmt.Errorf("%w: this task asked for none", broker.ErrNoResult)
			}
			r.Task = m.Task
			if n := len(m.Failures); !pending && n > 0 {
				r.Failure = &m.Failures[n-1]
			}
			return nil
		}, selectOutcome, id)
		if err != nil || found {
			return err
		}
		return c.query(func(row []driver.Value) error {
			found = true
			r.Task = row[0].(string)
			r.Value, _ = row[1].([]byte)
			r.Cancelled = row[2].(int64) != 0
			return nil
		}, "SELECT task, value, cancelled FROM dtask_results WHERE id = ? AND expires > ?", id, b.writer.soberNow().UnixMilli())
	})
	if err == nil && !found {
		err = broker.ErrNoResult
	}
	return r, pending, err
}
