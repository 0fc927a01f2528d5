package dtask

import "time"

// An Option changes one Delay.
type Option func(*call)

// A call is one Delay: its message, and the options that are not part of it.
type call struct {
	message         Message
	ignoreDuplicate bool
}

// In makes the task run d from now at the earliest.
func In(d time.Duration) Option {
	return func(c *call) { c.message.NotBefore = c.message.EnqueuedAt.Add(d) }
}

// At makes the task run at t at the earliest.
func At(t time.Time) Option {
	return func(c *call) { c.message.NotBefore = t }
}

// Expires says that the task must start before t. If no worker has started it by
// then, it is moved to the dead letters.
func Expires(t time.Time) Option {
	return func(c *call) { c.message.Expires = t }
}

// Queue enqueues the task on another queue than its own. Some worker must be
// told to consume it.
func Queue(name string) Option {
	return func(c *call) { c.message.Queue = name }
}

// Priority sets the class of the message within its queue.
func Priority(p PriorityLevel) Option {
	return func(c *call) { c.message.Priority = p }
}

// Retries sets how many attempts may follow the first one.
func Retries(n int) Option {
	return func(c *call) { c.message.Attempts = n + 1 }
}

// ID sets the id of the message, so that a Delay whose outcome is unknown can be
// repeated. SQLite refuses a second message with the same id, with
// [ErrDuplicate], for as long as the first one waits, runs, or is a dead letter;
// with [IgnoreDuplicate] that is no error. RabbitMQ accepts the second message,
// and the task sees the same id twice.
func ID(id string) Option {
	return func(c *call) { c.message.ID = id }
}

// IgnoreDuplicate makes Delay succeed where the broker refuses the message
// because one with its [ID] is stored already. The stored message stays as it is,
// whatever its task, its arguments and its state, and the handle is of that
// message.
//
// Delay refuses the option, with [ErrUnsupported], on a broker that cannot tell
// duplicates: RabbitMQ accepts a second message with the same id.
func IgnoreDuplicate() Option {
	return func(c *call) { c.ignoreDuplicate = true }
}

// Header adds a header to the message. The W3C trace context has the names
// traceparent and tracestate.
func Header(name, value string) Option {
	return func(c *call) { c.message.SetHeader(name, value) }
}

// Keep keeps the outcome of the task for d after it ended, for [Handle.Wait].
func Keep(d time.Duration) Option {
	return func(c *call) { c.message.Keep = d }
}
