package postgres

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// form is a kind of statement that inserts messages. What most messages do not have
// is left out, and what they have in common is sent only once.
type form struct {
	shared []int // columns in which all rows are the same
	each   []int // the other columns that are not the default

	// Two statements, which return the ids that were not there already: the second one
	// does not wait long for locks.
	sql     string
	patient string

	// fresh is patient for ids that are new: it costs a third less, and fails if one of
	// them is there.
	fresh string
}

var (
	// whole is for any messages, alike for those of one task that have nothing in
	// the rare columns, and single for one such message.
	whole  = newForm(nil, everyColumn)
	alike  = newForm(columnsWith(common), columnsWith(own))
	single = newForm(columnsWith(common, own), nil)
)

// A statement with this condition waits for no lock longer than lockPatience.
const waitsBriefly = " WHERE (SELECT set_config('lock_timeout', '" + lockPatience + "', true)) IS NOT NULL"

// newForm returns the form with its statements. What unnest returns has the order of its
// arguments, and so have the rows.
func newForm(shared, each []int) *form {
	var row, arrays, aliases []string
	for i, c := range shared {
		row = append(row, fmt.Sprintf("$%d::%s AS %s", i+1, columns[c].sql, columns[c].name))
	}
	for i, c := range each {
		arrays = append(arrays, fmt.Sprintf("$%d::%s[]", len(shared)+i+1, columns[c].sql))
		aliases = append(aliases, columns[c].name)
	}
	list := append(shared[:len(shared):len(shared)], each...)
	from := ""
	if len(each) > 0 {
		row = append(row, "u.*")
		from = " FROM unnest(" + strings.Join(arrays, ", ") + ") AS u (" + strings.Join(aliases, ", ") + ")"
	}
	insert := "INSERT INTO dtask_messages (" + namesOf(list, "") + ") SELECT " + inserted(list) +
		" FROM (SELECT " + strings.Join(row, ", ") + from + ") AS v"
	const unlessThere = " ON CONFLICT (id) DO NOTHING RETURNING id"
	return &form{shared, each, insert + unlessThere, insert + waitsBriefly + unlessThere, insert + waitsBriefly}
}

// formOf returns the form that sends the least for the messages.
func formOf(ms []*broker.Message) *form {
	for _, m := range ms {
		if !plain(m) || m.Task != ms[0].Task || m.Queue != ms[0].Queue || m.Schema != ms[0].Schema ||
			m.Priority != ms[0].Priority || m.Attempt != ms[0].Attempt || m.Attempts != ms[0].Attempts {
			return whole
		}
	}
	if len(ms) == 1 {
		return single
	}
	return alike
}

// plain reports whether a message has nothing in the rare columns.
func plain(m *broker.Message) bool {
	return m.Expires.IsZero() && m.Keep == 0 && len(m.Headers) == 0 && len(m.Failures) == 0 && m.HandedBack == 0 && m.HandedBackSince.IsZero()
}

// args returns the arguments of the statement.
func (f *form) args(ms []*broker.Message) (args []any, err error) {
	for _, c := range f.shared {
		v, err := columns[c].value(ms[0])
		if err != nil {
			return nil, err
		}
		args = append(args, v)
	}
	for _, c := range f.each {
		v, err := columns[c].values(ms)
		if err != nil {
			return nil, err
		}
		args = append(args, v)
	}
	return args, nil
}

// insertOne inserts one message. Its arguments are of types that every driver takes.
var insertOne = func() string {
	var row []string
	for i, c := range columns {
		row = append(row, fmt.Sprintf("$%d::%s AS %s", i+1, c.sql, c.name))
	}
	return "INSERT INTO dtask_messages (" + allNames + ") SELECT " + inserted(everyColumn) +
		" FROM (SELECT " + strings.Join(row, ", ") + ") AS v" +
		fmt.Sprintf(" WHERE EXISTS (SELECT FROM dtask_schema WHERE store = $%d::uuid)", len(columns)+1) +
		" ON CONFLICT (id) DO NOTHING"
}()

// argsOfOne returns the arguments of insertOne, but for the store.
func argsOfOne(m *broker.Message) (args []any, err error) {
	for i := range columns {
		v, err := columns[i].value(m)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", columns[i].name, err)
		}
		args = append(args, v)
	}
	return args, nil
}

// storable returns an error if m has what no text of PostgreSQL can hold. All
// messages of a statement would fail with it.
func storable(m *broker.Message) error {
	for _, s := range []string{m.ID, m.Task, m.Queue, m.Schema} {
		if !utf8.ValidString(s) || strings.ContainsRune(s, 0) {
			return fmt.Errorf("%.60q: %w", s, errNoText)
		}
	}
	return nil
}

var errNoText = errors.New("PostgreSQL stores no zero byte and no invalid UTF-8; use another id or name")
