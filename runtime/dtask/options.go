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

// Queue enqueues the task on another queue than that of its directive. Make sure
// that a worker consumes it.
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

// ID sets the id of the message. Use it to repeat a Delay whose outcome is unknown
// ([ErrUnknownOutcome]): enqueue the task again with the same id.
//
// SQLite refuses a second message with [ErrDuplicate] as long as the first one
// waits, runs, or is a dead letter. RabbitMQ accepts the second message: the task
// may run twice, and sees the same id each time.
func ID(id string) Option {
	return func(c *call) { c.message.ID = id }
}

// IgnoreDuplicate makes Delay return no error if a message with the same [ID] is
// stored already. Delay changes nothing then, and the handle is that of the stored
// message.
//
// RabbitMQ cannot tell duplicates. There Delay refuses the option with
// [ErrUnsupported].
func IgnoreDuplicate() Option {
	return func(c *call) { c.ignoreDuplicate = true }
}

// Header adds a header to the message, such as traceparent, the W3C trace context.
// The task does not see headers; middleware does.
func Header(name, value string) Option {
	return func(c *call) { c.message.SetHeader(name, value) }
}

// Keep keeps the outcome of the task for d after its end. [Handle.Wait] can get it
// for that time.
func Keep(d time.Duration) Option {
	return func(c *call) { c.message.Keep = d }
}
