package sqlite

import (
	"fmt"
	"slices"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// The classes of waiting messages. A claim knows for each when it has
// something next, and asks only those that have.
const (
	high = iota
	normal
	low
	quarantine // to be run alone, see quarantine.go
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

// A claim asks for the columns that most messages need, but for the queue, which
// it knows, and whether that is all there is. Each column of each row costs two
// calls into SQLite; the rows that have more are asked for singly.
var (
	pickedColumns = slices.DeleteFunc(slices.Clone(plainColumns), func(i int) bool { return i == queueColumn })
	pickedDue     = slices.Index(pickedColumns, dueColumn)

	pickColumns = "seq, " + isPlain + " AND crashes = 0 AND quarantine = 0, " + namesOf(pickedColumns)
	selectWhole = "SELECT crashes, quarantine, " + namesOf(everyColumn) + " FROM dtask_messages WHERE seq = ?"
)
