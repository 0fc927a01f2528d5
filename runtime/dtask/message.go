package dtask

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"time"
)

// A Message is a task on its way: what brokers store and move. docs/wire.md
// gives its form in each broker.
type Message struct {
	// ID is a UUIDv7 (RFC 9562) given at Delay, the same over every retry.
	ID string

	// Task is the name of the task.
	Task string

	// Queue is the queue the message is on.
	Queue string

	// Body is a JSON object: the arguments by their names.
	Body []byte

	// Schema is the fingerprint of the argument type that wrote Body, or empty
	// if the producer knows none.
	Schema string

	// Priority is the class within the queue.
	Priority PriorityLevel

	// Attempt is the number of the attempt that this message is, from 1.
	// An attempt whose worker died counts.
	Attempt int

	// Attempts is how many are allowed.
	Attempts int

	// EnqueuedAt is when Delay was called.
	EnqueuedAt time.Time

	// NotBefore is the earliest time the message may be delivered. The zero
	// time means at once.
	NotBefore time.Time

	// Expires is when the message loses its point: delivered later, it goes to
	// the dead letters unrun. The zero time means never.
	Expires time.Time

	// Keep is how long the outcome is kept once there is one. 0 means that it
	// is not.
	Keep time.Duration

	// Result is the value the function returned, in JSON: set by the worker
	// before Done if Keep is. It is no part of a stored message.
	Result []byte

	// IgnoreDuplicate makes [ErrDuplicate] no error of Delay. It is no part of a
	// stored message.
	IgnoreDuplicate bool

	// Headers carries the W3C trace context (traceparent, tracestate) and what
	// middleware adds. Nil is valid.
	Headers map[string]string

	// Failures is what went wrong so far, oldest first; at most [MaxFailures].
	Failures []Failure

	// Returned counts how often a worker handed the message back because it
	// does not know the task or its schema, since ReturnedSince.
	Returned      int
	ReturnedSince time.Time
}

// A Failure is one thing that went wrong with a message.
type Failure struct {
	Attempt int       `json:"attempt"`
	At      time.Time `json:"at"`
	Kind    string    `json:"kind"` // one of the Failure… constants
	Error   string    `json:"error"`
	Stack   string    `json:"stack,omitempty"`
}

// The kinds of failures.
const (
	FailureError       = "error"       // the function returned an error
	FailurePanic       = "panic"       // it panicked, or ended its goroutine
	FailureTimeout     = "timeout"     // it did not end within its timeout
	FailureExpired     = "expired"     // it was not started in time
	FailureCrash       = "crash"       // its worker died
	FailureUndecodable = "undecodable" // its arguments cannot be decoded
	FailureUnknown     = "unknown"     // no build knew it
)

// Bounds on what a message may hold.
const (
	MaxBodySize  = 1 << 20 // bytes of Body
	MaxFailures  = 10      // the newest ones are kept
	MaxErrorSize = 1 << 10 // bytes of Failure.Error
	MaxStackSize = 8 << 10 // bytes of Failure.Stack; only the newest failure keeps one
	MaxQueueName = 100     // bytes of Queue
	MaxTaskName  = 200     // bytes of Task
	MaxIDSize    = 100     // bytes of ID
)

// A PriorityLevel is a class of messages within a queue. A worker takes more
// messages of a higher class, but never starves a lower one.
type PriorityLevel int8

// The priority classes.
const (
	PriorityLow     PriorityLevel = -1
	PriorityDefault PriorityLevel = 0
	PriorityHigh    PriorityLevel = 1
)

// String returns the name of the class: low, default or high.
func (p PriorityLevel) String() string {
	switch p {
	case PriorityLow:
		return "low"
	case PriorityDefault:
		return "default"
	case PriorityHigh:
		return "high"
	}
	return fmt.Sprintf("priority(%d)", int8(p))
}

// ignores reports whether Delay is to succeed in spite of an error of the broker.
func (m *Message) ignores(err error) bool {
	return m.IgnoreDuplicate && errors.Is(err, ErrDuplicate)
}

// Validate reports what makes m impossible to enqueue, or nil. Brokers may
// rely on it: [Task.Delay] calls it for every message.
func (m *Message) Validate() error {
	switch {
	case m.ID == "" || len(m.ID) > MaxIDSize:
		return fmt.Errorf("id %.40q has %d bytes; give it 1 to %d", m.ID, len(m.ID), MaxIDSize)
	case m.Task == "" || len(m.Task) > MaxTaskName:
		return fmt.Errorf("task name %.40q has %d bytes; give it 1 to %d", m.Task, len(m.Task), MaxTaskName)
	case m.Attempts < 1 || m.Attempts > maxAttempts:
		return fmt.Errorf("retries %d: use 0 to %d", m.Attempts-1, maxAttempts-1)
	case m.Attempt < 1:
		return fmt.Errorf("attempt %d: the first one is 1", m.Attempt)
	case m.Keep < 0:
		return fmt.Errorf("keep %v: use a positive time, or 0 to keep no result", m.Keep)
	case m.Priority < PriorityLow || m.Priority > PriorityHigh:
		return fmt.Errorf("%v: use PriorityLow, PriorityDefault or PriorityHigh", m.Priority)
	}
	if err := m.validateTimes(); err != nil {
		return err
	}
	if err := ValidateQueue(m.Queue); err != nil {
		return err
	}
	return m.validateBody()
}

// What a stored message can say, as docs/wire.md has it.
const (
	maxAttempts = math.MaxInt32
	maxSecond   = 253402300799 // Unix seconds: the end of the year 9999
)

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

func (m *Message) validateBody() error {
	if len(m.Body) > MaxBodySize {
		return fmt.Errorf("%w: %d bytes of arguments, at most %d; store the data and pass its key", ErrTooLarge, len(m.Body), MaxBodySize)
	}
	return nil
}

// carry gives m the arguments that the pointer args points to, if they can be
// sent.
func (m *Message) carry(args any) (err error) {
	if m.Body, err = encode(args); err != nil {
		return err
	}
	return m.validateBody()
}

// ValidateQueue reports what is wrong with the name of a queue, or nil.
func ValidateQueue(name string) error {
	if validQueue(name) {
		return nil
	}
	return fmt.Errorf("queue name %.40q: use 1 to %d letters, digits, '-', '_' or '.'", name, MaxQueueName)
}

func validQueue(name string) bool {
	for _, c := range []byte(name) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_', c == '.':
		default:
			return false
		}
	}
	return name != "" && len(name) <= MaxQueueName
}

// fail adds a failure of the current attempt to the history, within its
// bounds.
func (m *Message) fail(at time.Time, err error) {
	kind, stack := describeFailure(err)
	m.Failures = slices.Clone(m.Failures)
	for i := range m.Failures {
		m.Failures[i].Stack = ""
	}
	m.Failures = append(m.Failures, Failure{
		Attempt: m.Attempt,
		At:      at,
		Kind:    kind,
		Error:   truncate(err.Error(), MaxErrorSize),
		Stack:   truncate(stack, MaxStackSize),
	})
	if n := len(m.Failures) - MaxFailures; n > 0 {
		m.Failures = m.Failures[n:]
	}
}
