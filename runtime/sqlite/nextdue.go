package sqlite

import (
	"database/sql/driver"
	"slices"
	"strings"
	"time"
)

// never is when a class without messages has its next one.
var never = time.Unix(1<<40, 0)

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

// due reports whether the class may have a message that is due.
func (c *consumer) due(class int, now time.Time) bool { return !c.dueAt[class].After(now) }

// canClaim reports whether a consumer has room for a message that is due. It
// looks without the lock that a transaction takes.
func (w *writer) canClaim(now time.Time) bool {
	for _, c := range w.consumers {
		c.ahead.measure(c.settled.Load(), now)
		due, err := w.lookUp(c, now)
		if err != nil { // a transaction would fail as well
			w.complain(err)
			w.retryLater()
			return false
		}
		if due {
			return true
		}
	}
	return w.keepGate(now) != nil
}

// lookUp reports whether c has room for a message that is due.
func (w *writer) lookUp(c *consumer, now time.Time) (due bool, err error) {
	if err := w.lookUpUnknown(c); err != nil {
		return false, err
	}
	return c.room(now) > 0 && (c.due(high, now) || c.due(normal, now) || c.due(low, now)), nil
}

// lookUpDue finds out when the class has its next message.
func (w *writer) lookUpDue(c *consumer, class int) error {
	return w.conn.query(func(row []driver.Value) error {
		c.dueAt[class] = dueTime(row[0])
		return nil
	}, queries[class].due, c.queue)
}

// dueOfAll asks for when each class has its next message.
var dueOfAll = func() string {
	var columns [classes]string
	for class, q := range queries {
		columns[class] = "(" + strings.ReplaceAll(q.due, "?", "?1") + ")"
	}
	return "SELECT " + strings.Join(columns[:], ", ")
}()

// lookUpUnknown finds out when each class has its next message, if that is not
// known of all: in one query, for lookAgain forgets it for all queues. The room of
// c depends on it.
func (w *writer) lookUpUnknown(c *consumer) error {
	if !slices.ContainsFunc(c.dueAt[:], time.Time.IsZero) {
		return nil
	}
	return w.conn.query(func(row []driver.Value) error {
		for class, v := range row {
			c.dueAt[class] = dueTime(v)
		}
		return nil
	}, dueOfAll, c.queue)
}

// dueTime returns when the next one is due, by the column.
func dueTime(v driver.Value) time.Time {
	if due, ok := v.(int64); ok {
		return time.UnixMilli(due)
	}
	return never
}
