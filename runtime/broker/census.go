package broker

import (
	"cmp"
	"context"
	"time"
)

// A Censor is a broker that cannot count what waits ([Counter]), and has producers say
// which kinds of messages they send.
type Censor interface {
	// Census returns the kinds of messages that may wait, be delayed, or run. A kind
	// that is not returned is not there, but for what [Census] says is not known.
	Census(ctx context.Context) (Census, error)
}

// A Census is a superset of the kinds of messages that are there, dead letters
// excepted.
type Census struct {
	Kinds []Kind // sorted by queue, task and schema

	// Since is the time from which on messages were recorded. Those that were enqueued
	// before it may be of other kinds. It is the zero time if all are recorded.
	Since time.Time

	// Unnamed are queues, sorted, with messages of which nobody has said the kind: their
	// producers are not of this version of dtask, or are in another language.
	Unnamed []string

	// Overflow: a producer has sent more kinds than it may name.
	Overflow bool
}

// A Kind is messages with a task and a schema on a queue.
type Kind struct {
	Queue, Task, Schema string

	// Seen is when some were sent last, within a day.
	Seen time.Time

	// Latest is a time by which all of them are due. It is the zero time if none was
	// delayed.
	Latest time.Time
}

// Compare orders kinds by queue, task and schema.
func (k Kind) Compare(o Kind) int {
	return cmp.Or(cmp.Compare(k.Queue, o.Queue), cmp.Compare(k.Task, o.Task), cmp.Compare(k.Schema, o.Schema))
}
