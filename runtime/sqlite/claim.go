package sqlite

import (
	"database/sql/driver"
	"fmt"
	"time"

	dtask "github.com/dtaskhq/dtask/runtime"
)

// The classes of waiting messages. A claim knows for each when it has
// something next, and asks only those that have.
const (
	high = iota
	normal
	low
	quarantine // to be run alone, see process.go
	classes
)

func classOf(p dtask.PriorityLevel) int {
	switch {
	case p > dtask.PriorityDefault:
		return high
	case p < dtask.PriorityDefault:
		return low
	}
	return normal
}

// cycle is the order in which classes are picked: of ten messages six are
// high, three normal and one low, where there are such.
var cycle = [...]int{high, normal, high, high, low, high, normal, high, high, normal}

// classQueries are the statements about one class.
type classQueries struct {
	due  string // queue → when the next one is due
	pick string // queue, now, limit → messages
	mark string // owner, claim, queue, due, due, seq → claims all up to the last picked
}

// The priority is part of the text: SQLite plans a statement again when a
// value compared to a column changes to or from 0 or 1.
var queries = [classes]classQueries{
	high:   priorityQueries(dtask.PriorityHigh),
	normal: priorityQueries(dtask.PriorityDefault),
	low:    priorityQueries(dtask.PriorityLow),
	quarantine: {
		due: "SELECT min(due) FROM dtask_messages INDEXED BY dtask_quarantine WHERE state = 0 AND quarantine > 0 AND queue = ?",
		pick: "SELECT seq, crashes, quarantine, " + columns + " FROM dtask_messages INDEXED BY dtask_quarantine" +
			" WHERE state = 0 AND quarantine > 0 AND queue = ? AND due <= ? ORDER BY due, seq LIMIT ?",
		mark: "UPDATE dtask_messages INDEXED BY dtask_quarantine SET state = 1, owner = ?, claim = ?" +
			" WHERE state = 0 AND quarantine > 0 AND queue = ? AND due <= ? AND (due < ? OR seq <= ?)",
	},
}

func priorityQueries(p dtask.PriorityLevel) classQueries {
	from := " dtask_messages INDEXED BY dtask_waiting"
	where := fmt.Sprintf(" WHERE state = 0 AND quarantine = 0 AND queue = ? AND priority = %d", p)
	return classQueries{
		due:  "SELECT min(due) FROM" + from + where,
		pick: "SELECT seq, crashes, quarantine, " + columns + " FROM" + from + where + " AND due <= ? ORDER BY due, seq LIMIT ?",
		mark: "UPDATE" + from + " SET state = 1, owner = ?, claim = ?" + where + " AND due <= ? AND (due < ? OR seq <= ?)",
	}
}

// never is when a class without messages has its next one.
var never = time.Unix(1<<40, 0)

// claim is what one consumer gets in one transaction.
type claim struct {
	consumer   *consumer
	deliveries []*delivery
}

// arrived notes that a waiting message was stored.
func (w *writer) arrived(r *record) {
	for _, c := range w.consumers {
		if c.queue != r.queue() {
			continue
		}
		at := &c.dueAt[r.class()]
		if due := time.UnixMilli(r.due()); due.Before(*at) && !at.IsZero() {
			*at = due
		}
	}
}

// lookAgain makes the consumers look for messages: anything may have changed.
func (w *writer) lookAgain() {
	for _, c := range w.consumers {
		c.dueAt = [classes]time.Time{}
	}
}

// canClaim reports whether a consumer has room for a message that is due. It
// looks without the lock that a transaction takes.
func (w *writer) canClaim(now time.Time) bool {
	for _, c := range w.consumers {
		c.ahead.measure(c.settled.Load(), now)
		if c.room() == 0 {
			continue
		}
		for class := range classes {
			if w.skips(c, class) {
				continue
			}
			if c.dueAt[class].IsZero() && w.lookUpDue(c, class) != nil {
				continue // a transaction would fail as well; later
			}
			if !c.dueAt[class].After(now) {
				return true
			}
		}
	}
	return false
}

// skips reports whether c is not to claim of the class at the moment, whatever
// there is. Of the quarantined messages of a queue, one is in flight at most,
// and started at once.
func (w *writer) skips(c *consumer, class int) bool {
	return class == quarantine && (w.quarantined[c.queue] != nil || !c.freeSlot())
}

// lookUpDue finds out when the class has its next message.
func (w *writer) lookUpDue(c *consumer, class int) error {
	return w.conn.query(func(row []driver.Value) error {
		c.dueAt[class] = never
		if due, ok := row[0].(int64); ok {
			c.dueAt[class] = time.UnixMilli(due)
		}
		return nil
	}, queries[class].due, c.queue)
}

// claim claims messages for every consumer that has room.
func (w *writer) claim(now time.Time) (claims []claim, err error) {
	for _, c := range w.consumers {
		c.ahead.measure(c.settled.Load(), now)
		room := c.room()
		if room == 0 {
			continue
		}
		ds, err := w.claimFor(c, room, now)
		if err != nil {
			return nil, err
		}
		if len(ds) > 0 {
			claims = append(claims, claim{c, ds})
		}
	}
	return claims, nil
}

// claimFor claims up to room messages for c.
func (w *writer) claimFor(c *consumer, room int, now time.Time) (ds []*delivery, err error) {
	due := func(class int) bool { return !c.dueAt[class].After(now) }
	if due(quarantine) && !w.skips(c, quarantine) {
		if ds, err = w.claimClass(ds, c, quarantine, 1, now); err != nil {
			return nil, err
		}
	}
	for len(ds) < room && (due(high) || due(normal) || due(low)) {
		var share [classes]int
		for n := room - len(ds); n > 0; c.picking++ {
			if class := cycle[c.picking%len(cycle)]; due(class) {
				share[class]++
				n--
			}
		}
		for class, n := range share {
			if n == 0 {
				continue
			}
			if ds, err = w.claimClass(ds, c, class, n, now); err != nil {
				return nil, err
			}
		}
	}
	return ds, nil
}

// claimClass claims up to n messages of a class and appends them to ds.
func (w *writer) claimClass(ds []*delivery, c *consumer, class, n int, now time.Time) ([]*delivery, error) {
	q, due := &queries[class], now.UnixMilli()
	w.lastClaim++
	var picked int
	var lastDue, lastSeq int64
	var damaged []damagedRow
	err := w.conn.query(func(row []driver.Value) error {
		picked++
		d := &delivery{consumer: c, claim: w.lastClaim}
		d.seq, lastDue = row[0].(int64), row[3+dueColumn].(int64)
		lastSeq = d.seq
		if err := d.read(row); err != nil {
			damaged = append(damaged, damagedRow{d.seq, &d.message, err})
			return nil
		}
		ds = append(ds, d)
		return nil
	}, q.pick, c.queue, due, int64(n))
	if err != nil {
		return nil, err
	}
	if picked > 0 {
		if _, err := w.conn.exec(q.mark, c.id, w.lastClaim, c.queue, lastDue, lastDue, lastSeq); err != nil {
			return nil, err
		}
	}
	if err := w.buryDamaged(damaged, now); err != nil {
		return nil, err
	}
	if class == quarantine {
		if picked > len(damaged) {
			w.quarantined[c.queue] = c
		}
		return ds, w.lookUpDue(c, class)
	}
	if picked < n {
		return ds, w.lookUpDue(c, class)
	}
	return ds, nil
}
