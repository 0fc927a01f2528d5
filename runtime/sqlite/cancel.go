package sqlite

import (
	"context"
	"database/sql/driver"
	"maps"
	"slices"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
)

var _ broker.Canceller = (*Broker)(nil)

// A message that waits is deleted when it is cancelled. One that runs is entered in a
// table, from where its process hears of it. Whatever would make it wait again, ends it:
// an outcome (settle.go), the end of its consumer, or the death of its process.

// A cancelledSet is that table: the owners by id. It is not changed any more when others
// can see it.
type cancelledSet map[string]int64

// Cancel implements [broker.Canceller].
func (b *Broker) Cancel(ctx context.Context, ids ...string) (all []broker.Cancellation, err error) {
	for chunk := range slices.Chunk(ids, step) {
		var some []broker.Cancellation // the writer's, until do returns without an error
		if err := b.writer.do(ctx, func(c *conn) error {
			some = nil
			for _, id := range chunk {
				what, err := b.writer.cancel(c, id)
				if err != nil {
					return err
				}
				some = append(some, what)
			}
			return nil
		}); err != nil {
			return all, err
		}
		all = append(all, some...)
	}
	return all, nil
}

const cancellable = "SELECT seq, state, owner, task, keep FROM dtask_messages WHERE id = ?" +
	" UNION ALL SELECT NULL, NULL, NULL, NULL, cancelled FROM dtask_results WHERE id = ?"

// cancel cancels one message.
func (w *writer) cancel(c *conn, id string) (broker.Cancellation, error) {
	what := broker.CancelNothing
	var m broker.Message
	var seq, owner int64
	if err := c.query(func(row []driver.Value) error {
		state, stored := row[1].(int64)
		switch {
		case stored && state == 0:
			what = broker.CancelDone
		case stored && state == 1:
			what = broker.CancelAsked
		case !stored && what == broker.CancelNothing && row[4] == driver.Value(int64(1)):
			what = broker.CancelDone // somebody was faster
		}
		if stored {
			seq, _ = row[0].(int64)
			owner, _ = row[2].(int64)
			m.Task, _ = row[3].(string)
			ms, _ := row[4].(int64)
			m.Keep = time.Duration(ms) * time.Millisecond
		}
		return nil
	}, cancellable, id, id); err != nil || seq == 0 {
		return what, err
	}
	m.ID = id
	switch what {
	case broker.CancelDone:
		if _, err := c.exec("DELETE FROM dtask_messages WHERE seq = ?", seq); err != nil {
			return what, err
		}
		if r := w.cancelledResult(&m); r != nil {
			return what, w.keepResult(r)
		}
	case broker.CancelAsked:
		if _, err := c.exec("INSERT OR REPLACE INTO dtask_cancelled (id, owner) VALUES (?, ?)", id, owner); err != nil {
			return what, err
		}
		w.marked = maps.Clone(w.marked) // its outcome may come in this transaction
		w.marked[id] = owner
	}
	return what, nil
}

// cancelledResult returns what is kept of a message that was cancelled, or nil.
func (w *writer) cancelledResult(m *broker.Message) *result {
	if m.Keep <= 0 {
		return nil
	}
	r := w.newResult(m, nil)
	r.cancelled = true
	return r
}

// has reports whether a message in the hands of a consumer was cancelled.
func (s cancelledSet) has(d *delivery) bool {
	if len(s) == 0 {
		return false
	}
	owner, ok := s[d.message.ID]
	return ok && owner == d.owner
}

// Cancelled implements [broker.Delivery].
func (d *delivery) Cancelled() bool {
	set := d.consumer.writer.cancelled.Load()
	return set != nil && set.has(d)
}

// setCancelled takes over which messages are cancelled, and tells their consumers of
// those that are new.
func (w *writer) setCancelled(set cancelledSet) {
	w.marked = set
	before := w.cancelled.Swap(&set)
	for id, owner := range set {
		if before != nil && (*before)[id] == owner {
			continue
		}
		for _, c := range w.consumers {
			if c.id == owner && c.tell != nil {
				c.tell(id)
			}
		}
	}
}

// endOne makes the outcome of a message that was cancelled its end.
func (w *writer) endOne(s *settlement) error {
	if s.verdict == broker.Requeue || s.verdict == released {
		s.verdict, s.record = broker.Cancelled, nil
		s.result = w.cancelledResult(&s.delivery.message)
	}
	id := s.delivery.message.ID
	if _, err := w.conn.exec("DELETE FROM dtask_cancelled WHERE id = ?", id); err != nil {
		return err
	}
	w.marked = maps.Clone(w.marked)
	delete(w.marked, id)
	return nil
}

// endCancelled ends the messages that were cancelled in the hands of owners that are
// gone, which are given by a condition.
func (w *writer) endCancelled(c *conn, owners string, args ...driver.Value) error {
	const (
		ids    = "id IN (SELECT id FROM dtask_cancelled WHERE owner "
		record = "INSERT OR REPLACE INTO dtask_results (id, task, value, expires, cancelled)" +
			" SELECT id, task, NULL, ? + keep, 1 FROM dtask_messages WHERE state = 1 AND keep > 0 AND " + ids
	)
	n, err := c.int("SELECT count(*) FROM dtask_cancelled WHERE owner "+owners, args...)
	if err != nil || n == 0 {
		return err
	}
	if _, err := c.exec(record+owners+")", append([]driver.Value{w.soberNow().UnixMilli()}, args...)...); err != nil {
		return err
	}
	if _, err := c.exec("DELETE FROM dtask_messages WHERE state = 1 AND "+ids+owners+")", args...); err != nil {
		return err
	}
	_, err = c.exec("DELETE FROM dtask_cancelled WHERE owner "+owners, args...)
	return err
}
