package broker

import "errors"

// These are errors of Enqueue. A broker wraps the one that fits, so that errors.Is
// finds it in the error of Delay.
var (
	// ErrUnknownOutcome: the connection was lost, or the context ended, after
	// the message was sent and before the broker confirmed it. It may run.
	ErrUnknownOutcome = errors.New("the message may or may not have been enqueued")

	// ErrTooLarge: the message exceeds [MaxBodySize] or the broker's own limit.
	ErrTooLarge = errors.New("message too large")

	// ErrUnroutable: the broker has no queue for the message.
	ErrUnroutable = errors.New("no such queue at the broker")

	// ErrBlocked: the broker was short of memory or disk, and refused messages
	// until the context ended.
	ErrBlocked = errors.New("the broker accepts no messages at the moment")

	// ErrQueueFull: the queue has reached the length its operator allows.
	ErrQueueFull = errors.New("the queue is full")

	// ErrDuplicate: a message with the same id is stored already.
	ErrDuplicate = errors.New("a message with this id is already enqueued")

	// ErrTransaction: the context has a transaction of the application, and the
	// broker cannot enqueue in it.
	ErrTransaction = errors.New("the context has a transaction in which the broker cannot enqueue")
)

var (
	// ErrClosed: the client, the broker or the consumer was closed.
	ErrClosed = errors.New("closed")

	// ErrNoResult: no message has that id, its outcome is not kept, or it is no
	// longer kept.
	ErrNoResult = errors.New("no result is kept under this id; tasks keep one by the option keep= or dtask.Keep")

	// ErrCancelled: the task was cancelled, by a program or an operator.
	ErrCancelled = errors.New("the task was cancelled")

	// ErrNoMessage: no message has that id. It may have been executed or deleted.
	ErrNoMessage = errors.New("no message has this id")

	// ErrChanged: the message has changed since it was looked at.
	ErrChanged = errors.New("the message has changed since it was looked at")

	// ErrNotScheduler: another process watches the clock for this schedule.
	ErrNotScheduler = errors.New("another process is the scheduler")
)
