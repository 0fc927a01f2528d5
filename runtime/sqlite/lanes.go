package sqlite

import (
	"database/sql/driver"
	"fmt"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// A lane is a range of an index in which messages follow one another by the time
// at which they are due.
type lane struct {
	shelf    shelf
	queue    string // of all shelves but running
	priority int    // of the shelf of waiting
}

// A shelf is a state of rows, which has an index of its own.
type shelf int

const (
	waiting shelf = iota
	quarantined
	running // few, and in no order: one lane, by number
	dead
)

// shelves are the index and the condition of each.
var shelves = [...]struct{ index, where string }{
	waiting:     {"dtask_waiting", "state = 0 AND quarantine = 0"},
	quarantined: {"dtask_quarantine", "state = 0 AND quarantine > 0"},
	running:     {"dtask_running", "state = 1"},
	dead:        {"dtask_dead", "state = 2"},
}

// briefColumns are those by which most selections select, timedColumns those by
// which the others do. A queue is known by its lane, but for the running ones.
var (
	briefColumns = []int{taskColumn, queueColumn, columnNamed("schema")}
	timedColumns = append(briefColumns[:3:3], columnNamed("enqueued_at"))
)

// later is the statement that reads what is due after a time, up to another one.
// Of the running ones it reads those after a number, up to another one.
func (l lane) later(columns []int) string {
	if l.shelf == running {
		return l.read(columns, "seq > ?1 AND seq <= ?2") + " ORDER BY seq"
	}
	return l.read(columns, "due > ?1 AND due <= ?2") + " ORDER BY due, seq"
}

// sameDue is the statement that reads what is due at a time and has a later
// number. SQLite would not find one range of both.
func (l lane) sameDue(columns []int) string {
	return l.read(columns, "due = ?1 AND seq > ?2") + " ORDER BY seq"
}

func (l lane) read(columns []int, due string) string {
	in := shelves[l.shelf]
	sql := "SELECT seq, due, " + namesOf(columns) + " FROM dtask_messages INDEXED BY " + in.index + " WHERE " + in.where
	switch l.shelf {
	case running:
		return sql + " AND " + due
	case waiting:
		sql += fmt.Sprintf(" AND priority = %d", l.priority)
	}
	return sql + " AND queue = ?3 AND " + due
}

// waits reports whether the messages of a lane are ready or delayed.
func (l lane) waits() bool { return l.shelf == waiting || l.shelf == quarantined }

// state returns the state of a message of the lane.
func (l lane) state(due int64, now time.Time) broker.State {
	switch {
	case l.shelf == running:
		return broker.StateRunning
	case l.shelf == dead:
		return broker.StateDead
	case due > now.UnixMilli():
		return broker.StateDelayed
	}
	return broker.StateReady
}

// lanes returns the lanes that may have selected messages, in order, from that of
// a place on.
func (w *walk) lanes(from *place) (list []lane, err error) {
	start := lane{priority: int(broker.PriorityHigh)}
	if from != nil {
		start = from.lane
	}
	for s := start.shelf; int(s) < len(shelves); s++ {
		if !w.wantsShelf(s) {
			continue
		}
		if s == running {
			list = append(list, lane{shelf: s})
			continue
		}
		first := ""
		if s == start.shelf {
			first = start.queue
		}
		queues, err := w.queues(s, first)
		if err != nil {
			return nil, err
		}
		for _, q := range queues {
			if s != waiting {
				list = append(list, lane{shelf: s, queue: q})
				continue
			}
			for p := broker.PriorityHigh; p >= broker.PriorityLow; p-- {
				if s == start.shelf && q == start.queue && int(p) > start.priority {
					continue
				}
				list = append(list, lane{s, q, int(p)})
			}
		}
	}
	return list, nil
}

func (w *walk) wantsShelf(s shelf) bool {
	switch s {
	case running:
		return w.wanted.Has(broker.StateRunning)
	case dead:
		return w.wanted.Has(broker.StateDead)
	}
	return w.wanted.Has(broker.StateReady) || w.wanted.Has(broker.StateDelayed)
}

// queues returns the selected queues that have messages on a shelf, sorted, from
// the first on. It jumps from one to the next in the index.
func (w *walk) queues(s shelf, first string) (list []string, err error) {
	in := shelves[s]
	next := "SELECT min(queue) FROM dtask_messages INDEXED BY " + in.index + " WHERE " + in.where + " AND queue "
	at, more := first, ">= ?"
	for {
		found := false
		if err := w.conn.query(func(row []driver.Value) error {
			at, found = row[0].(string)
			return nil
		}, next+more, at); err != nil || !found {
			return list, err
		}
		if w.wanted.HasQueue(at) {
			list = append(list, at)
		}
		more = "> ?"
	}
}
