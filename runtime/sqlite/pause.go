package sqlite

import (
	"context"
	"database/sql/driver"
	"slices"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
)

var _ broker.Pauser = (*Broker)(nil)

const (
	selectPauses = "SELECT what, name, since, until FROM dtask_pauses"
	insertPause  = "INSERT OR REPLACE INTO dtask_pauses (what, name, since, until) VALUES (?, ?, ?, ?)"
	deletePause  = "DELETE FROM dtask_pauses WHERE what = ? AND name = ? OR until < ?"
)

// Pause implements [broker.Pauser].
func (b *Broker) Pause(ctx context.Context, p broker.Pause) error {
	if err := p.Validate(); err != nil {
		return err
	}
	now := time.Now()
	if p.Since.IsZero() {
		p.Since = now
	}
	var until driver.Value
	if !p.Until.IsZero() {
		until = p.Until.UnixMilli()
	}
	return b.writer.do(ctx, func(c *conn) error {
		if p.What == broker.PauseQueue {
			if _, err := c.exec("INSERT INTO dtask_queues (name) VALUES (?) ON CONFLICT DO NOTHING", p.Name); err != nil {
				return err
			}
		}
		_, err := c.exec(insertPause, string(p.What), p.Name, p.Since.UnixMilli(), until)
		return err
	})
}

// Resume implements [broker.Pauser].
func (b *Broker) Resume(ctx context.Context, what broker.Pausable, name string) error {
	return b.writer.do(ctx, func(c *conn) error {
		_, err := c.exec(deletePause, string(what), name, time.Now().UnixMilli())
		return err
	})
}

// Pauses implements [broker.Pauser].
func (b *Broker) Pauses(ctx context.Context) (ps []broker.Pause, err error) {
	now := time.Now()
	err = b.read(ctx, func(c *conn) error {
		return c.query(func(row []driver.Value) error {
			if p := readPause(row); p.InForce(now) {
				ps = append(ps, p)
			}
			return nil
		}, selectPauses)
	})
	slices.SortFunc(ps, broker.Pause.Compare)
	return ps, err
}

// readPause returns the pause of a row of selectPauses.
func readPause(row []driver.Value) (p broker.Pause) {
	what, _ := row[0].(string)
	p.What = broker.Pausable(what)
	p.Name, _ = row[1].(string)
	if ms, ok := row[2].(int64); ok {
		p.Since = time.UnixMilli(ms)
	}
	if ms, ok := row[3].(int64); ok {
		p.Until = time.UnixMilli(ms)
	}
	return p
}

// pauseOfQueue returns the pause of a queue, or nil.
func pauseOfQueue(conn *conn, queue string) (found *broker.Pause, err error) {
	err = conn.query(func(row []driver.Value) error {
		p := readPause(row)
		found = &p
		return nil
	}, selectPauses+" WHERE what = ? AND name = ?", string(broker.PauseQueue), queue)
	return found, err
}

// isPaused reports whether the queue of a consumer is paused.
func (c *consumer) isPaused(now time.Time) bool { return c.paused != nil && c.paused.InForce(now) }

// taskPaused reports whether a task is paused.
func (w *writer) taskPaused(task string, now time.Time) bool {
	if len(w.paused) == 0 {
		return false
	}
	p, ok := w.paused[task]
	return ok && p.InForce(now)
}

// putBackPaused makes messages of paused tasks that were claimed wait again. There may
// be more of them than one transaction is to change: claim goes on in the next one.
func (w *writer) putBackPaused(ds []*delivery, now time.Time) error {
	for _, d := range ds {
		due := now.Add(w.paused[d.message.Task].PutOff(now))
		if _, err := w.conn.exec("UPDATE dtask_messages SET state = 0, owner = NULL, due = ? WHERE seq = ?", due.UnixMilli(), d.seq); err != nil {
			return err
		}
	}
	w.putOff += len(ds)
	return nil
}
