package postgres

import (
	"encoding/json"
	"time"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// A kind of column says how it is written from a message, and read into one.
type kind struct {
	sql    string                                  // the type
	value  func(m *broker.Message) (any, error)    // for a statement of one message
	values func(ms []*broker.Message) (any, error) // an array, for one of many
	target func(m *broker.Message) any             // what pgx reads the column into
}

// kindOf returns the kind that writes values of a type.
func kindOf[T any](sql string, value func(*broker.Message) (T, error), target func(*broker.Message) any) kind {
	return kind{
		sql:   sql,
		value: func(m *broker.Message) (any, error) { return value(m) },
		values: func(ms []*broker.Message) (any, error) {
			list := make([]T, len(ms))
			for i, m := range ms {
				var err error
				if list[i], err = value(m); err != nil {
					return nil, err
				}
			}
			return list, nil
		},
		target: target,
	}
}

func text(field func(*broker.Message) *string) kind {
	return kindOf("text",
		func(m *broker.Message) (string, error) { return *field(m), nil },
		func(m *broker.Message) any { return field(m) })
}

func binary(field func(*broker.Message) *[]byte) kind {
	return kindOf("bytea",
		func(m *broker.Message) ([]byte, error) {
			if b := *field(m); b != nil {
				return b, nil
			}
			return []byte{}, nil
		},
		func(m *broker.Message) any { return field(m) })
}

// count is a number of something.
func count(field func(*broker.Message) *int) kind {
	return kindOf("integer",
		func(m *broker.Message) (int32, error) { return int32(*field(m)), nil },
		func(m *broker.Message) any {
			return reading(func(n int64) { *field(m) = int(n) })
		})
}

var priority = kindOf("smallint",
	func(m *broker.Message) (int16, error) { return int16(m.Priority), nil },
	func(m *broker.Message) any {
		return reading(func(n int64) { m.Priority = broker.Priority(n) })
	})

func milliseconds(field func(*broker.Message) *time.Duration) kind {
	return kindOf("bigint",
		func(m *broker.Message) (int64, error) { return field(m).Milliseconds(), nil },
		func(m *broker.Message) any {
			return reading(func(n int64) { *field(m) = time.Duration(n) * time.Millisecond })
		})
}

// Times lose what is below a millisecond, as on other brokers.

func instant(field func(*broker.Message) *time.Time) kind {
	return kindOf("timestamptz",
		func(m *broker.Message) (time.Time, error) { return field(m).Truncate(time.Millisecond), nil },
		func(m *broker.Message) any { return field(m) })
}

// optionalTime is a time; NULL is the zero time.
func optionalTime(field func(*broker.Message) *time.Time) kind {
	return kindOf("timestamptz",
		func(m *broker.Message) (*time.Time, error) {
			if field(m).IsZero() {
				return nil, nil
			}
			t := field(m).Truncate(time.Millisecond)
			return &t, nil
		},
		func(m *broker.Message) any {
			return readingTime(func(t time.Time) { *field(m) = t })
		})
}

// due is when a message may run, see dueNow. NotBefore is rounded up, so that the
// message is never early.
var due = kindOf("timestamptz",
	func(m *broker.Message) (*time.Time, error) {
		if m.NotBefore.IsZero() {
			return nil, nil
		}
		t := m.NotBefore.Add(time.Millisecond - 1).Truncate(time.Millisecond)
		return &t, nil
	},
	func(m *broker.Message) any {
		return readingTime(func(t time.Time) {
			if t.After(m.EnqueuedAt) {
				m.NotBefore = t
			}
		})
	})

// jsonText is JSON; NULL is an empty value.
func jsonText[T map[string]string | []broker.Failure](field func(*broker.Message) *T) kind {
	return kindOf("text",
		func(m *broker.Message) (*string, error) {
			if len(*field(m)) == 0 {
				return nil, nil
			}
			b, err := json.Marshal(*field(m))
			s := string(b)
			return &s, err
		},
		func(m *broker.Message) any { return readingJSON{field(m)} })
}

// What follows is what pgx reads columns into.

type reading func(n int64)

func (r reading) ScanInt64(v pgtype.Int8) error { r(v.Int64); return nil }

type readingTime func(t time.Time)

func (r readingTime) ScanTimestamptz(v pgtype.Timestamptz) error {
	if v.Valid {
		r(v.Time)
	}
	return nil
}

type readingJSON struct{ to any }

func (r readingJSON) ScanText(v pgtype.Text) error {
	if !v.Valid {
		return nil
	}
	return json.Unmarshal([]byte(v.String), r.to)
}
