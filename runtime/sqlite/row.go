package sqlite

import (
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// columns are those that hold the message itself, in the order of a record. The
// id never changes.
const (
	columns    = "id, " + changeable
	changeable = "task, queue, body, schema, priority, attempt, attempts, " +
		"enqueued_at, due, expires, keep, headers, failures, handed_back, handed_back_since"
)

// record is a message as values of the columns.
type record [16]driver.Value

func (r *record) valid() bool   { return r[0] != nil }
func (r *record) queue() string { return r[2].(string) }
func (r *record) class() int    { return classOf(broker.Priority(r[5].(int64))) }
func (r *record) due() int64    { return r[dueColumn].(int64) }

const dueColumn = 9

// plain reports whether the columns after due, which few messages need, have
// their defaults.
func (r *record) plain() bool {
	return [6]driver.Value(r[dueColumn+1:]) == [...]driver.Value{nil, int64(0), nil, nil, int64(0), nil}
}

// newRecord returns m as a record. Times lose what is below a millisecond;
// NotBefore is rounded up, so that the message is never early. Without it the
// message is due now, even if the clock was ahead when it was enqueued.
func newRecord(m *broker.Message, now time.Time) (r record, err error) {
	due := m.EnqueuedAt
	if due.After(now) {
		due = now
	}
	if m.NotBefore.After(due) {
		due = m.NotBefore.Add(time.Millisecond - 1)
	}
	r = record{
		m.ID, m.Task, m.Queue, m.Body, m.Schema, int64(m.Priority), int64(m.Attempt), int64(m.Attempts),
		m.EnqueuedAt.UnixMilli(), due.UnixMilli(), millis(m.Expires), m.Keep.Milliseconds(), nil, nil, int64(m.HandedBack), millis(m.HandedBackSince),
	}
	if len(m.Headers) > 0 {
		if r[12], err = jsonText(m.Headers); err != nil {
			return r, fmt.Errorf("headers: %w", err)
		}
	}
	if len(m.Failures) > 0 {
		if r[13], err = jsonText(m.Failures); err != nil {
			return r, fmt.Errorf("failures: %w", err)
		}
	}
	return r, nil
}

func jsonText(v any) (driver.Value, error) {
	b, err := json.Marshal(v)
	return string(b), err
}

// millis returns t in Unix milliseconds, NULL for the zero time.
func millis(t time.Time) driver.Value {
	if t.IsZero() {
		return nil
	}
	return t.UnixMilli()
}

// readMessage fills m from the values of the columns. What it cannot read it
// leaves zero and names in the error.
func readMessage(m *broker.Message, row []driver.Value) error {
	r := reader{row: row}
	r.message(m)
	return r.err()
}

// reader reads the values of a row one after the other.
type reader struct {
	row []driver.Value
	bad []string // what was wrong
}

// err says what could not be read, if anything could not.
func (r *reader) err() error {
	if len(r.bad) == 0 {
		return nil
	}
	return errors.New("the stored message is damaged: " + strings.Join(r.bad, ", "))
}

// message fills m from the columns of a record.
func (r *reader) message(m *broker.Message) {
	m.ID = r.text("id")
	m.Task = r.text("task")
	m.Queue = r.text("queue")
	m.Body = r.bytes("body")
	m.Schema = r.text("schema")
	m.Priority = r.priority()
	m.Attempt = r.count("attempt", 1)
	m.Attempts = r.count("attempts", 1)
	m.EnqueuedAt = r.time("enqueued_at")
	m.NotBefore = r.time("due")
	if !m.NotBefore.After(m.EnqueuedAt) {
		m.NotBefore = time.Time{}
	}
	m.Expires = r.time("expires")
	m.Keep = time.Duration(r.integer("keep", 0, math.MaxInt64/int64(time.Millisecond))) * time.Millisecond
	r.json("headers", &m.Headers)
	r.json("failures", &m.Failures)
	m.HandedBack = r.count("handed_back", 0)
	m.HandedBackSince = r.time("handed_back_since")
}

func (r *reader) next() driver.Value {
	v := r.row[0]
	r.row = r.row[1:]
	return v
}

func (r *reader) complain(column string, v driver.Value) {
	r.bad = append(r.bad, fmt.Sprintf("%s is %.40q", column, fmt.Sprint(v)))
}

func (r *reader) text(column string) string {
	switch v := r.next().(type) {
	case string:
		return v
	default:
		r.complain(column, v)
		return ""
	}
}

func (r *reader) bytes(column string) []byte {
	switch v := r.next().(type) {
	case nil:
		return nil
	case []byte:
		return v
	case string: // a body that was inserted as text
		return []byte(v)
	default:
		r.complain(column, v)
		return nil
	}
}

func (r *reader) integer(column string, least, most int64) int64 {
	v := r.next()
	if n, ok := v.(int64); ok && least <= n && n <= most {
		return n
	}
	r.complain(column, v)
	return 0
}

// count reads an integer that counts something.
func (r *reader) count(column string, least int64) int {
	return int(r.integer(column, least, math.MaxInt32))
}

func (r *reader) priority() broker.Priority {
	return broker.Priority(r.integer("priority", int64(broker.PriorityLow), int64(broker.PriorityHigh)))
}

// time reads Unix milliseconds; NULL is the zero time.
func (r *reader) time(column string) time.Time {
	switch v := r.next().(type) {
	case nil:
		return time.Time{}
	case int64:
		return time.UnixMilli(v)
	default:
		r.complain(column, v)
		return time.Time{}
	}
}

func (r *reader) json(column string, into any) {
	switch v := r.next().(type) {
	case nil:
	case string:
		if err := json.Unmarshal([]byte(v), into); err != nil {
			r.complain(column, v)
		}
	default:
		r.complain(column, v)
	}
}
