package broker

import "context"

// Admin is the capability to look into queues and to act on what is found.
type Admin interface {
	// Queues returns the state of all queues, sorted by name.
	Queues(ctx context.Context) ([]QueueState, error)

	// Due reports whether messages of a queue wait to be delivered now, be it
	// paused or not. Unlike Queues it is cheap: it may be asked every second.
	Due(ctx context.Context, queue string) (bool, error)

	// DeadLetters returns up to limit dead letters of a queue, oldest first.
	DeadLetters(ctx context.Context, queue string, limit int) ([]*Message, error)

	// RetryDead moves dead letters back to their queue with a first attempt
	// ahead of them and their failures kept: those with the given ids, or all
	// where none is given. It returns how many it moved.
	RetryDead(ctx context.Context, queue string, ids ...string) (int, error)

	// DeleteDead deletes dead letters: those with the given ids, or all where
	// none is given. It returns how many it deleted.
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
	Running int // in the hands of a worker
	Delayed int // due later
	Dead    int // dead letters
	Paused  bool
}
