package sqlite

import (
	"database/sql/driver"
	"fmt"
	"slices"
	"strings"
)

// form is a kind of statement that inserts messages. Each value costs two calls
// into SQLite, and a copy if it is text: there are forms that leave out what most
// messages do not have, and bind what they have in common only once.
type form struct {
	shared []int          // columns in which all rows are the same
	each   []int          // the other columns that are not the default
	sql    map[int]string // by the number of rows
}

// Beside the columns of the record a new row has these.
const (
	stateColumn = len(columns) + iota
	ownerColumn
)

// stored are the names of the columns of a new row.
var stored = strings.Split(namesOf(everyColumn)+", state, owner", ", ")

var (
	// whole is for any messages, plain for those that have nothing in the rare
	// columns, alike for those of these that are of one task.
	whole = newForm(nil, append(columnsWith(own, common, rare), stateColumn, ownerColumn))
	plain = newForm(nil, append(columnsWith(own, common), stateColumn, ownerColumn))
	alike = newForm(append(columnsWith(common), stateColumn, ownerColumn), columnsWith(own))
)

// newForm returns the form with its statements. A statement opens all indexes,
// whatever the number of its rows.
//
// An id that is there already is all that OR IGNORE can meet here. ON CONFLICT
// (id) DO NOTHING would leave other constraints that may fail, and SQLite would
// copy each page first, to take back the rows before the one that fails.
func newForm(shared, each []int) *form {
	var names, row []string
	for i, column := range shared {
		names = append(names, stored[column])
		row = append(row, fmt.Sprint("?", i+1))
	}
	for _, column := range each {
		names = append(names, stored[column])
		row = append(row, "?")
	}
	head := "INSERT OR IGNORE INTO dtask_messages (" + strings.Join(names, ", ") + ") VALUES "
	values := "(" + strings.Join(row, ", ") + ")"
	return &form{shared, each, chunkSQL(func(n int) string {
		return head + strings.Repeat(values+", ", n-1) + values
	})}
}

// formOf returns the form that binds the fewest values for the messages.
func formOf(messages []storing) *form {
	first, same := &messages[0], true
	for i := range messages {
		m := &messages[i]
		if !m.record.plain() {
			return whole
		}
		same = same && !slices.ContainsFunc(alike.shared, func(column int) bool { return m.value(column) != first.value(column) })
	}
	if same {
		return alike
	}
	return plain
}

// appendArgs appends the arguments of a statement.
func (f *form) appendArgs(args []driver.Value, messages []storing) []driver.Value {
	for _, column := range f.shared {
		args = append(args, messages[0].value(column))
	}
	for i := range messages {
		for _, column := range f.each {
			args = append(args, messages[i].value(column))
		}
	}
	return args
}

// value returns what is stored in the column.
func (m *storing) value(column int) driver.Value {
	switch {
	case column < len(m.record):
		return m.record[column]
	case column == ownerColumn:
		return m.owner
	case m.owner == nil:
		return int64(0)
	}
	return int64(1)
}
