package broker

import "context"

// An Overseer is the capability to find what nobody takes.
type Overseer interface {
	// Neglected returns the queues, sorted by name, that have messages waiting
	// and no consumer in any process. Paused queues are not among them. It looks
	// at every queue: call it every few minutes.
	Neglected(ctx context.Context) ([]QueueState, error)
}

// Admin is the capability to look into queues and to act on what is found.
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

	// Pause stops the delivery of a queue, for all workers, until Resume. The
	// queue need not exist yet; an impossible name is an error.
	Pause(ctx context.Context, queue string) error

	// Resume ends a Pause.
	Resume(ctx context.Context, queue string) error
}

// QueueState counts the messages of a queue by state. A count that the broker
// cannot know is -1.
type QueueState struct {
	Queue   string
	Ready   int // due, waiting for a worker
	Running int // delivered to a worker, not yet settled
	Delayed int // due later
	Dead    int // dead letters
	Paused  bool
}
