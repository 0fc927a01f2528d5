package sqlite

import (
	"database/sql/driver"
	"encoding/json"
	"math"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// A kind of column says how it is written from a message, and read into one.
// What it cannot read it leaves zero and reports as false: rows may be damaged,
// or written by others.
type kind struct {
	write func(m *broker.Message, now time.Time) (driver.Value, error)
	read  func(m *broker.Message, v driver.Value) bool
}

func text(field func(*broker.Message) *string) kind {
	return kind{
		func(m *broker.Message, _ time.Time) (driver.Value, error) { return *field(m), nil },
		func(m *broker.Message, v driver.Value) (ok bool) {
			*field(m), ok = v.(string)
			return ok
		},
	}
}

func blob(field func(*broker.Message) *[]byte) kind {
	return kind{
		func(m *broker.Message, _ time.Time) (driver.Value, error) { return *field(m), nil },
		func(m *broker.Message, v driver.Value) bool {
			switch v := v.(type) {
			case nil:
				*field(m) = nil
			case []byte:
				*field(m) = v
			case string: // it was inserted as text
				*field(m) = []byte(v)
			default:
				return false
			}
			return true
		},
	}
}

// count is a number of something, at least least.
func count(least int64, field func(*broker.Message) *int) kind {
	return kind{
		func(m *broker.Message, _ time.Time) (driver.Value, error) { return int64(*field(m)), nil },
		func(m *broker.Message, v driver.Value) bool {
			n, ok := integer(v, least, math.MaxInt32)
			*field(m) = int(n)
			return ok
		},
	}
}

// integer returns a value that is to be within bounds, or 0.
func integer(v driver.Value, least, most int64) (n int64, ok bool) {
	if n, ok := v.(int64); ok && least <= n && n <= most {
		return n, true
	}
	return 0, false
}

var priority = kind{
	func(m *broker.Message, _ time.Time) (driver.Value, error) { return int64(m.Priority), nil },
	func(m *broker.Message, v driver.Value) bool {
		n, ok := integer(v, int64(broker.PriorityLow), int64(broker.PriorityHigh))
		m.Priority = broker.Priority(n)
		return ok
	},
}

// instant is a time in Unix milliseconds.
func instant(field func(*broker.Message) *time.Time) kind {
	return kind{
		func(m *broker.Message, _ time.Time) (driver.Value, error) { return field(m).UnixMilli(), nil },
		optionalTime(field).read,
	}
}

// optionalTime is a time in Unix milliseconds; NULL is the zero time.
func optionalTime(field func(*broker.Message) *time.Time) kind {
	return kind{
		func(m *broker.Message, _ time.Time) (driver.Value, error) {
			if t := field(m); !t.IsZero() {
				return t.UnixMilli(), nil
			}
			return nil, nil
		},
		func(m *broker.Message, v driver.Value) bool {
			switch v := v.(type) {
			case nil:
				*field(m) = time.Time{}
			case int64:
				*field(m) = time.UnixMilli(v)
			default:
				return false
			}
			return true
		},
	}
}

// due is when a message may run. Without NotBefore that is at once, even if the
// clock was ahead when it was enqueued. NotBefore is rounded up, so that the
// message is never early.
var due = kind{
	func(m *broker.Message, now time.Time) (driver.Value, error) {
		due := m.EnqueuedAt
		if due.After(now) {
			due = now
		}
		if m.NotBefore.After(due) {
			due = m.NotBefore.Add(time.Millisecond - 1)
		}
		return due.UnixMilli(), nil
	},
	func(m *broker.Message, v driver.Value) bool {
		ms, ok := v.(int64)
		if due := time.UnixMilli(ms); ok && due.After(m.EnqueuedAt) {
			m.NotBefore = due
		}
		return ok
	},
}

func milliseconds(field func(*broker.Message) *time.Duration) kind {
	return kind{
		func(m *broker.Message, _ time.Time) (driver.Value, error) { return field(m).Milliseconds(), nil },
		func(m *broker.Message, v driver.Value) bool {
			n, ok := integer(v, 0, math.MaxInt64/int64(time.Millisecond))
			*field(m) = time.Duration(n) * time.Millisecond
			return ok
		},
	}
}

// jsonText is JSON; NULL is an empty value.
func jsonText[T map[string]string | []broker.Failure](field func(*broker.Message) *T) kind {
	return kind{
		func(m *broker.Message, _ time.Time) (driver.Value, error) {
			if len(*field(m)) == 0 {
				return nil, nil
			}
			b, err := json.Marshal(*field(m))
			return string(b), err
		},
		func(m *broker.Message, v driver.Value) bool {
			switch v := v.(type) {
			case nil:
				return true
			case string:
				return json.Unmarshal([]byte(v), field(m)) == nil
			default:
				return false
			}
		},
	}
}
