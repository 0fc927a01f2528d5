package dtask

import "time"

// An Option changes the message of one Delay.
type Option func(*Message)

// Delay makes the task run d from now at the earliest.
func Delay(d time.Duration) Option {
	return func(m *Message) { m.NotBefore = m.EnqueuedAt.Add(d) }
}

// At makes the task run at t at the earliest.
func At(t time.Time) Option {
	return func(m *Message) { m.NotBefore = t }
}

// Expires makes the task pointless at t: if no worker has started it by then
// it goes to the dead letters.
func Expires(t time.Time) Option {
	return func(m *Message) { m.Expires = t }
}

// Queue enqueues the task on another queue than its own. Some worker must be
// told to consume it.
func Queue(name string) Option {
	return func(m *Message) { m.Queue = name }
}

// Priority sets the class of the message within its queue.
func Priority(p PriorityLevel) Option {
	return func(m *Message) { m.Priority = p }
}

// Retries sets how many attempts may follow the first one.
func Retries(n int) Option {
	return func(m *Message) { m.Attempts = n + 1 }
}

// ID sets the id of the message, so that a Delay whose outcome is unknown can
// be repeated without a second message where the broker can tell: SQLite
// refuses the second with [ErrDuplicate] for as long as the first one waits, runs,
// or is a dead letter, which [IgnoreDuplicate] makes no error; RabbitMQ accepts
// it, and the task sees the same id twice.
func ID(id string) Option {
	return func(m *Message) { m.ID = id }
}

// IgnoreDuplicate makes Delay succeed where the broker refuses the message
// because one with its [ID] is stored already. That one stays as it is, whatever
// its task, its arguments and its state; the handle is of it.
func IgnoreDuplicate() Option {
	return func(m *Message) { m.IgnoreDuplicate = true }
}

// Header adds a header to the message. Names of the W3C trace context are
// traceparent and tracestate.
func Header(name, value string) Option {
	return func(m *Message) {
		if m.Headers == nil {
			m.Headers = make(map[string]string)
		}
		m.Headers[name] = value
	}
}
