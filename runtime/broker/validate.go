package broker

import (
	"fmt"
	"time"

	"github.com/dtaskhq/dtask/internal/limit"
)

// Validate returns nil if m can be enqueued, or an error that says why not.
// Package dtask calls it for every message that it makes, and brokers call it for
// every message that they are to store.
func (m *Message) Validate() error {
	switch {
	case m.ID == "" || len(m.ID) > MaxIDSize:
		return fmt.Errorf("id %.40q has %d bytes; give it 1 to %d", m.ID, len(m.ID), MaxIDSize)
	case m.Attempts < 1 || m.Attempts > limit.MaxRetries+1:
		return fmt.Errorf("retries %d: use 0 to %d", m.Attempts-1, limit.MaxRetries)
	case m.Attempt < 1:
		return fmt.Errorf("attempt %d: the first one is 1", m.Attempt)
	case m.Keep < 0:
		return fmt.Errorf("keep %v: use a positive time, or 0 to keep no result", m.Keep)
	case m.Priority < PriorityLow || m.Priority > PriorityHigh:
		return fmt.Errorf("%v: use PriorityLow, PriorityDefault or PriorityHigh", m.Priority)
	}
	if err := validateTask(m.Task); err != nil {
		return err
	}
	if err := ValidateQueue(m.Queue); err != nil {
		return err
	}
	if err := m.validateTimes(); err != nil {
		return err
	}
	return ValidateBody(m.Body)
}

// ValidateQueue reports what is wrong with the name of a queue, or nil.
func ValidateQueue(name string) error {
	if remedy, ok := limit.Queue(name); !ok {
		return fmt.Errorf("queue name %.40q: %s", name, remedy)
	}
	return nil
}

// validateTask reports what is wrong with the name of a task, or nil.
func validateTask(name string) error {
	if remedy, ok := limit.Task(name); !ok {
		return fmt.Errorf("task name %.60q: %s", name, remedy)
	}
	return nil
}

// maxSecond is the last second that a stored message can name (docs/wire.md): the
// end of the year 9999, in Unix seconds.
const maxSecond = 253402300799

func (m *Message) validateTimes() error {
	switch {
	case !storable(m.EnqueuedAt):
		return fmt.Errorf("enqueued at %v: set the clock to a year up to 9999", m.EnqueuedAt)
	case !storable(m.NotBefore):
		return fmt.Errorf("not before %v: use a time up to the year 9999", m.NotBefore)
	case !storable(m.Expires):
		return fmt.Errorf("expires %v: use a time up to the year 9999", m.Expires)
	}
	return nil
}

func storable(t time.Time) bool {
	s := t.Unix()
	return -maxSecond <= s && s <= maxSecond
}

// ValidateBody returns an error if the arguments of a message are too large.
func ValidateBody(body []byte) error {
	if len(body) > MaxBodySize {
		return fmt.Errorf("%w: %d bytes of arguments, at most %d; store the data and pass its key", ErrTooLarge, len(body), MaxBodySize)
	}
	return nil
}
