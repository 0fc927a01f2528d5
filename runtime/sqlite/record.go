package sqlite

import (
	"database/sql/driver"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// A record is a message as values of the columns.
type record [len(columns)]driver.Value

// newRecord returns m as a record. Times lose what is below a millisecond.
func newRecord(m *broker.Message, now time.Time) (r record, err error) {
	for i := range columns {
		if r[i], err = columns[i].write(m, now); err != nil {
			return record{}, fmt.Errorf("%s: %w", columns[i].name, err)
		}
	}
	return r, nil
}

func (r *record) valid() bool { return r[idColumn] != nil }

func (r *record) queue() string { return r[queueColumn].(string) }

func (r *record) task() string { return r[taskColumn].(string) }

func (r *record) class() int { return classOf(broker.Priority(r[priorityColumn].(int64))) }

func (r *record) due() int64 { return r[dueColumn].(int64) }

// plain reports whether the message has nothing in the rare columns, which are
// the last ones.
func (r *record) plain() bool {
	return slices.Equal(r[len(plainColumns):], nothing[len(plainColumns):])
}

// readMessage fills m from the values of all columns. What it cannot read it
// leaves zero and names in the error.
func readMessage(m *broker.Message, row []driver.Value) error {
	return readColumns(m, everyColumn, row)
}

// readColumns fills m from the values of some columns.
func readColumns(m *broker.Message, list []int, row []driver.Value) error {
	var d damage
	d.readColumns(m, list, row)
	return d.err()
}

// damage is what cannot be read of a row.
type damage []string

func (d *damage) readColumns(m *broker.Message, list []int, row []driver.Value) {
	for i, c := range list {
		if !columns[c].read(m, row[i]) {
			d.add(columns[c].name, row[i])
		}
	}
}

func (d *damage) add(column string, v driver.Value) {
	*d = append(*d, fmt.Sprintf("%s is %.40q", column, fmt.Sprint(v)))
}

func (d damage) err() error {
	if len(d) == 0 {
		return nil
	}
	return errors.New("the stored message is damaged: " + strings.Join(d, ", "))
}
