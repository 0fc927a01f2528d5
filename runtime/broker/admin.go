package broker

import (
	"context"
	"time"
)

// An Overseer is a broker that can find messages that nobody takes.
type Overseer interface {
	// Orphans returns the queues that have messages waiting, but no consumer in
	// any process, sorted by name. It leaves out queues that are paused. It looks
	// at every queue, so call it every few minutes at most.
	Orphans(ctx context.Context) ([]QueueState, error)
}

// Admin is the capability to look into queues, and to change what is in them.
type Admin interface {
	// Queues returns the state of all queues, sorted by name.
	Queues(ctx context.Context) ([]QueueState, error)

	// Due reports whether messages of a queue, paused or not, wait to be delivered
	// now. Unlike Queues it is cheap: it may be called every second.
	Due(ctx context.Context, queue string) (bool, error)

	// DeadLetters returns up to limit dead letters of a queue, oldest first.
	DeadLetters(ctx context.Context, queue string, limit int) ([]*Message, error)

	// RetryDead moves dead letters back to their queue: those with the given ids,
	// or all if no id is given. They begin again with the first attempt, and keep
	// their failures. It returns how many it moved.
	RetryDead(ctx context.Context, queue string, ids ...string) (int, error)

	// DeleteDead deletes dead letters: those with the given ids, or all if no id
	// is given. It returns how many it deleted.
	DeleteDead(ctx context.Context, queue string, ids ...string) (int, error)

	// Purge deletes the messages of a queue that wait to be delivered, ready
	// or delayed, and returns how many. Dead letters stay.
	Purge(ctx context.Context, queue string) (int, error)
}

// QueueState counts the messages of a queue. A count is -1 if the broker cannot
// know it.
type QueueState struct {
	Queue   string
	Ready   int // due, waiting for a worker
	Running int // delivered to a worker, not yet settled
	Delayed int // due later
	Dead    int // dead letters
	Paused  bool

	// PausedUntil is when a pause ends by itself, or the zero time.
	PausedUntil time.Time
}
