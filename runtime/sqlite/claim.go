package sqlite

import (
	"database/sql/driver"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
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

func classOf(p broker.Priority) int {
	switch {
	case p > broker.PriorityDefault:
		return high
	case p < broker.PriorityDefault:
		return low
	}
	return normal
}

// cycle is the order in which classes are picked: of ten messages six are
// high, three normal and one low, where there are such.
var cycle = [...]int{high, normal, high, high, low, high, normal, high, high, normal}

// pickColumns are what a claim asks for: the last one tells whether a message
// has nothing in the other columns, as most have. Each column of each row costs
// two calls into SQLite; the rows that have more are asked for singly.
const (
	pickColumns = "seq, due, id, task, body, schema, priority, attempt, attempts, enqueued_at, " +
		"expires IS NULL AND keep = 0 AND headers IS NULL AND failures IS NULL AND handed_back = 0 AND crashes = 0 AND quarantine = 0"
	selectWhole = "SELECT crashes, quarantine, " + columns + " FROM dtask_messages WHERE seq = ?"
)

// classQueries are the statements about one class.
type classQueries struct {
	due  string // queue → when the next one is due
	pick string // queue, now, limit → messages

	// The two claim all up to the last one picked. SQLite would not find both
	// ends of one range of (due, seq), and many messages can be due at one time.
	markBefore string // owner, queue, due
	markAt     string // owner, queue, due, seq
}

// Two things are as they are lest SQLite plans a statement again, which costs
// ten times its execution: the priority is part of the text, and the limit is
// an expression. (SQLite goes by the values of parameters that it compares to
// columns, if they are 0 or 1, or that limit a sorted result.)
var queries = [classes]classQueries{
	high:   priorityQueries(broker.PriorityHigh),
	normal: priorityQueries(broker.PriorityDefault),
	low:    priorityQueries(broker.PriorityLow),
	quarantine: {
		due: "SELECT min(due) FROM dtask_messages INDEXED BY dtask_quarantine WHERE state = 0 AND quarantine > 0 AND queue = ?",
		pick: "SELECT " + pickColumns + " FROM dtask_messages INDEXED BY dtask_quarantine" +
			" WHERE state = 0 AND quarantine > 0 AND queue = ? AND due <= ? ORDER BY due, seq LIMIT CAST(? AS INTEGER)",
		markBefore: "UPDATE dtask_messages INDEXED BY dtask_quarantine SET state = 1, owner = ? WHERE state = 0 AND quarantine > 0 AND queue = ? AND due < ?",
		markAt:     "UPDATE dtask_messages INDEXED BY dtask_quarantine SET state = 1, owner = ? WHERE state = 0 AND quarantine > 0 AND queue = ? AND due = ? AND seq <= ?",
	},
}

func priorityQueries(p broker.Priority) classQueries {
	from := " dtask_messages INDEXED BY dtask_waiting"
	where := fmt.Sprintf(" WHERE state = 0 AND quarantine = 0 AND queue = ? AND priority = %d", p)
	return classQueries{
		due:  "SELECT min(due) FROM" + from + where,
		pick: "SELECT " + pickColumns + " FROM" + from + where + " AND due <= ? ORDER BY due, seq LIMIT CAST(? AS INTEGER)",

		markBefore: "UPDATE" + from + " SET state = 1, owner = ?" + where + " AND due < ?",
		markAt:     "UPDATE" + from + " SET state = 1, owner = ?" + where + " AND due = ? AND seq <= ?",
	}
}

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
	return false
}

// lookUp reports whether c has room for a message that is due.
func (w *writer) lookUp(c *consumer, now time.Time) (due bool, err error) {
	if err := w.lookUpUnknown(c); err != nil {
		return false, err
	}
	if c.room(now) == 0 {
		return false, nil
	}
	for class := range classes {
		if !w.skips(c, class) && c.due(class, now) {
			return true, nil
		}
	}
	return false, nil
}

// skips reports whether c is not to claim of the class at the moment, whatever
// there is. Of the quarantined messages of a queue, one is in flight at most,
// and started at once.
func (w *writer) skips(c *consumer, class int) bool {
	return class == quarantine && (w.quarantined[c.queue] != nil || c.freeSlots() <= 0)
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

// claim claims messages for every consumer that has room, into its batch.
func (w *writer) claim(now time.Time) error {
	for _, c := range w.consumers {
		c.ahead.measure(c.settled.Load(), now)
		if err := w.lookUpUnknown(c); err != nil {
			return err
		}
		if c.quarantineWaits(now) && c.room(now) > 0 {
			if err := w.claimClass(c, quarantine, 1, now); err != nil {
				return err
			}
		}
		for c.room(now) > 0 && (c.due(high, now) || c.due(normal, now) || c.due(low, now)) {
			for class, n := range c.shares(c.room(now), now) {
				if n == 0 {
					continue
				}
				if err := w.claimClass(c, class, n, now); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// due reports whether the class may have a message that is due.
func (c *consumer) due(class int, now time.Time) bool { return !c.dueAt[class].After(now) }

// shares divides n among the priorities that have messages, as the cycle says.
// At least one of them has.
func (c *consumer) shares(n int, now time.Time) (share [quarantine]int) {
	var turns []int // the cycle without those that have nothing
	for i := range cycle {
		if class := cycle[(c.picking+i)%len(cycle)]; c.due(class, now) {
			turns = append(turns, class)
		}
	}
	for i, class := range turns {
		share[class] += n / len(turns)
		if i < n%len(turns) {
			share[class]++
		}
	}
	c.picking += n
	return share
}

// claimClass claims up to n messages of a class.
func (w *writer) claimClass(c *consumer, class, n int, now time.Time) error {
	q, due := &queries[class], now.UnixMilli()
	var picked int
	var firstDue, lastDue, lastSeq int64
	var damaged []damagedRow
	err := w.conn.query(func(row []driver.Value) error {
		picked++
		d := &delivery{consumer: c, owner: c.id}
		d.seq, lastDue = row[0].(int64), row[1].(int64)
		lastSeq = d.seq
		if picked == 1 {
			firstDue = lastDue
		}
		if d.readPlain(row[1:]) {
			c.batch = append(c.batch, d)
			return nil
		}
		return w.conn.query(func(row []driver.Value) error {
			if err := d.read(row); err != nil {
				damaged = append(damaged, damagedRow{d.seq, &d.message, err})
				return nil
			}
			c.batch = append(c.batch, d)
			return nil
		}, selectWhole, d.seq)
	}, q.pick, c.queue, due, int64(n))
	if err != nil {
		return err
	}
	if firstDue < lastDue {
		if _, err := w.conn.exec(q.markBefore, c.id, c.queue, lastDue); err != nil {
			return err
		}
	}
	if picked > 0 {
		if _, err := w.conn.exec(q.markAt, c.id, c.queue, lastDue, lastSeq); err != nil {
			return err
		}
	}
	if err := w.setDead(damaged, now, c.log); err != nil {
		return err
	}
	switch {
	case class == quarantine:
		if picked > len(damaged) {
			w.quarantined[c.queue] = c
		}
		return w.lookUpDue(c, class)
	case picked < n:
		return w.lookUpDue(c, class)
	}
	return nil
}
