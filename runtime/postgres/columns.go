package postgres

import (
	"slices"
	"strings"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// columns are the columns of dtask_messages that hold the message itself. All
// statements follow from them, and migrations/ has them as well; what else a row has
// says what is being done with the message. A column that is read may rely on those
// above it. The rare columns are the last ones.
var columns = [...]column{
	{"id", own, text(func(m *broker.Message) *string { return &m.ID })},
	{"task", common, text(func(m *broker.Message) *string { return &m.Task })},
	{"queue", common, text(func(m *broker.Message) *string { return &m.Queue })},
	{"body", own, binary(func(m *broker.Message) *[]byte { return &m.Body })},
	{"schema", common, text(func(m *broker.Message) *string { return &m.Schema })},
	{"priority", common, priority},
	{"attempt", common, count(func(m *broker.Message) *int { return &m.Attempt })},
	{"attempts", common, count(func(m *broker.Message) *int { return &m.Attempts })},
	{"enqueued_at", own, instant(func(m *broker.Message) *time.Time { return &m.EnqueuedAt })},
	{"due", own, due},
	{"expires", rare, optionalTime(func(m *broker.Message) *time.Time { return &m.Expires })},
	{"keep", rare, milliseconds(func(m *broker.Message) *time.Duration { return &m.Keep })},
	{"headers", rare, jsonText(func(m *broker.Message) *map[string]string { return &m.Headers })},
	{"failures", rare, jsonText(func(m *broker.Message) *[]broker.Failure { return &m.Failures })},
	{"handed_back", rare, count(func(m *broker.Message) *int { return &m.HandedBack })},
	{"handed_back_since", rare, optionalTime(func(m *broker.Message) *time.Time { return &m.HandedBackSince })},
}

// A column holds one field of a message.
type column struct {
	name string
	use  use
	kind
}

// A use says what the values of a column have in common.
type use int

const (
	own    use = iota // every message has its own
	common            // the messages of one task mostly have the same
	rare              // most messages have nothing there
)

// dueNow is how the column due comes from what is written there, v.due: the time
// before which the message is not to run, or NULL. Without it that is when it was
// enqueued, unless the clock was ahead: the one that counts is the database's.
const dueNow = "greatest(least(v.enqueued_at, statement_timestamp()), v.due)"

// columnsWith returns the columns of these uses.
func columnsWith(uses ...use) (list []int) {
	for i := range columns {
		if slices.Contains(uses, columns[i].use) {
			list = append(list, i)
		}
	}
	return list
}

var everyColumn = columnsWith(own, common, rare)

// namesOf returns the names of columns, each with a prefix, separated by commas.
func namesOf(list []int, prefix string) string {
	var names []string
	for _, i := range list {
		names = append(names, prefix+columns[i].name)
	}
	return strings.Join(names, ", ")
}

// allNames are the names of all columns.
var allNames = namesOf(everyColumn, "")

// inserted are the values of columns that a statement has in its row v, as they are
// stored.
func inserted(list []int) string {
	var values []string
	for _, i := range list {
		if columns[i].name == "due" {
			values = append(values, dueNow)
			continue
		}
		values = append(values, "v."+columns[i].name)
	}
	return strings.Join(values, ", ")
}
