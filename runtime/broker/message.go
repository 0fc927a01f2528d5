package broker

import "time"

// A Message is a task that was enqueued: what brokers store and move. docs/wire.md
// describes its form in each broker.
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
	Priority Priority

	// Attempt is the number of this attempt, from 1. An attempt whose worker died
	// counts.
	Attempt int

	// Attempts is how many are allowed.
	Attempts int

	// EnqueuedAt is when Delay was called.
	EnqueuedAt time.Time

	// NotBefore is the earliest time the message may be delivered. The zero
	// time means at once.
	NotBefore time.Time

	// Expires is the time by which the task must start. A message that is
	// delivered later is moved to the dead letters and not run. The zero time
	// means never.
	Expires time.Time

	// Keep is how long the outcome is kept once there is one. 0 means that it is
	// not kept.
	Keep time.Duration

	// Headers carries the W3C trace context (traceparent, tracestate) and what
	// middleware adds. Nil is valid.
	Headers map[string]string

	// Failures is what went wrong so far, oldest first; at most [MaxFailures].
	Failures []Failure

	// HandedBack counts how often a worker handed the message back because it
	// does not know the task or its schema, since HandedBackSince.
	HandedBack      int
	HandedBackSince time.Time
}

// SetHeader sets a header. It replaces one of the same name.
func (m *Message) SetHeader(name, value string) {
	if m.Headers == nil {
		m.Headers = make(map[string]string)
	}
	m.Headers[name] = value
}

// A Failure is one thing that went wrong with a message.
type Failure struct {
	Attempt int       `json:"attempt"`
	At      time.Time `json:"at"`
	Kind    string    `json:"kind"` // one of the Failure… constants
	Error   string    `json:"error"`
	Stack   string    `json:"stack,omitempty"`

	// Log is what the attempt has logged, a record in a line, if its worker keeps that.
	Log string `json:"log,omitempty"`
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
