package sqlite

import (
	"database/sql/driver"
	"slices"
	"strings"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// columns are the columns of dtask_messages that hold the message itself, in
// the order of a record. The table and all statements follow from them; what
// else a row has (schema.go) says what is being done with the message. A column
// that is read may rely on those above it. The rare columns are the last ones.
var columns = [...]column{
	{"id", own, "TEXT NOT NULL UNIQUE", "", text(func(m *broker.Message) *string { return &m.ID })},
	{"task", common, "TEXT NOT NULL", "", text(func(m *broker.Message) *string { return &m.Task })},
	{"queue", common, "TEXT NOT NULL", "", text(func(m *broker.Message) *string { return &m.Queue })},
	{"body", own, "BLOB", "the arguments, a JSON object", blob(func(m *broker.Message) *[]byte { return &m.Body })},
	{"schema", common, "TEXT NOT NULL DEFAULT ''", "", text(func(m *broker.Message) *string { return &m.Schema })},
	{"priority", common, "INTEGER NOT NULL DEFAULT 0", "-1 low, 0 default, 1 high", priority},
	{"attempt", common, "INTEGER NOT NULL DEFAULT 1", "", count(1, func(m *broker.Message) *int { return &m.Attempt })},
	{"attempts", common, "INTEGER NOT NULL DEFAULT 1", "", count(1, func(m *broker.Message) *int { return &m.Attempts })},
	{"enqueued_at", own, "INTEGER NOT NULL", "", instant(func(m *broker.Message) *time.Time { return &m.EnqueuedAt })},
	{"due", own, "INTEGER NOT NULL", "waiting: not before; dead: since", due},
	{"expires", rare, "INTEGER", "", optionalTime(func(m *broker.Message) *time.Time { return &m.Expires })},
	{"keep", rare, "INTEGER NOT NULL DEFAULT 0", "how long to keep the result, in milliseconds", milliseconds(func(m *broker.Message) *time.Duration { return &m.Keep })},
	{"headers", rare, "TEXT", "a JSON object of strings", jsonText(func(m *broker.Message) *map[string]string { return &m.Headers })},
	{"failures", rare, "TEXT", "a JSON array, oldest first", jsonText(func(m *broker.Message) *[]broker.Failure { return &m.Failures })},
	{"handed_back", rare, "INTEGER NOT NULL DEFAULT 0", "", count(0, func(m *broker.Message) *int { return &m.HandedBack })},
	{"handed_back_since", rare, "INTEGER", "", optionalTime(func(m *broker.Message) *time.Time { return &m.HandedBackSince })},
}

// A column holds one field of a message.
type column struct {
	name    string
	use     use
	sql     string // type and constraints
	comment string // in the schema
	kind
}

// A use says what the values of a column have in common.
type use int

const (
	own    use = iota // every message has its own
	common            // the messages of one task mostly have the same
	rare              // most messages have nothing there
)

// Some columns by their place in a record.
var (
	idColumn       = columnNamed("id")
	taskColumn     = columnNamed("task")
	queueColumn    = columnNamed("queue")
	priorityColumn = columnNamed("priority")
	dueColumn      = columnNamed("due")
)

func columnNamed(name string) int {
	return slices.IndexFunc(columns[:], func(c column) bool { return c.name == name })
}

var (
	everyColumn = columnsWith(own, common, rare)

	// plainColumns are all of a message that has nothing in the rare ones.
	plainColumns = columnsWith(own, common)
)

// columnsWith returns the columns of these uses.
func columnsWith(uses ...use) (list []int) {
	for i := range columns {
		if slices.Contains(uses, columns[i].use) {
			list = append(list, i)
		}
	}
	return list
}

// namesOf returns the names of columns, separated by commas.
func namesOf(list []int) string {
	var names []string
	for _, i := range list {
		names = append(names, columns[i].name)
	}
	return strings.Join(names, ", ")
}

// placeholders returns as many of them, separated by commas.
func placeholders(n int) string { return strings.Repeat("?, ", n-1) + "?" }

// nothing is what the columns hold of a message that has nothing there.
var nothing = func() (r record) {
	for i := range columns {
		r[i], _ = columns[i].write(new(broker.Message), time.Time{})
	}
	return r
}()

// isPlain is the condition that a row has nothing in the rare columns.
var isPlain = func() string {
	var conditions []string
	for _, i := range columnsWith(rare) {
		is := " = 0"
		if nothing[i] == driver.Value(nil) {
			is = " IS NULL"
		}
		conditions = append(conditions, columns[i].name+is)
	}
	return strings.Join(conditions, " AND ")
}()
