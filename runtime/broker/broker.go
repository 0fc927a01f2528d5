package broker

import (
	"context"
	"log/slog"
)

// A Broker stores messages and hands them to workers.
//
// All methods are safe for concurrent use. Brokers reconnect by themselves: a
// method fails when its context ends, when the message itself is at fault, or
// when reconnecting cannot help.
type Broker interface {
	// Enqueue returns nil once m is durable and sure to reach its queue. It
	// does not keep m. A message that [Message.Validate] refuses is an error, here
	// and wherever else messages come in. The error wraps one of the errors of
	// this package where one fits.
	Enqueue(ctx context.Context, m *Message) error

	// EnqueueMany enqueues all of ms in as few round trips as it can. The
	// result has an error, or nil, for each.
	EnqueueMany(ctx context.Context, ms []*Message) []error

	// Consume starts to deliver the messages of a queue. It returns once the
	// queue exists and deliveries can begin; ctx bounds only that. After a
	// nil error the consumer goes on, through lost connections, until Close.
	Consume(ctx context.Context, o ConsumeOptions) (Consumer, error)

	// Close ends the connections. Close the consumers first.
	Close() error
}

// ConsumeOptions says what a consumer delivers.
type ConsumeOptions struct {
	// Queue is the queue to consume.
	Queue string

	// Concurrency is how many messages the worker handles at once. The broker
	// derives from it how many it fetches ahead.
	Concurrency int

	// Logger is the log of the consumer. Nil means the logger with which the
	// broker was opened.
	Logger *slog.Logger
}

// A Consumer delivers the messages of one queue.
type Consumer interface {
	// Deliveries returns the channel of deliveries, the same at every call.
	// It is closed after Stop.
	Deliveries() <-chan Delivery

	// Stop stops fetching. What was fetched but not yet received from
	// Deliveries goes back to the queue at no cost of an attempt. It does not
	// wait. Deliveries already received can still be settled.
	Stop()

	// Close stops, waits until every settlement made so far is durable or ctx
	// ends, and gives up the deliveries that are not settled: another worker
	// gets them. Its error means that [Consumer.Unrecorded] may name some.
	Close(ctx context.Context) error

	// Unrecorded returns the settlements that are not known to be durable: until
	// Close, those that the broker is busy with; after Close, those whose messages
	// may be delivered again. There are never more of them than deliveries at one
	// time.
	Unrecorded() []Unrecorded
}

// An Unrecorded is a settlement that is not known to be durable.
type Unrecorded struct {
	ID, Task string
	Verdict  Verdict
	Outcome  string // of the [Settlement]
}

// A Delivery is a message that a worker holds. The worker must settle it once.
type Delivery interface {
	// Message returns the message. The worker may change it before Settle; the
	// broker stores it as it is then.
	Message() *Message

	// Settle reports what became of the message. It does not wait until that is
	// durable, and cannot fail: a settlement that is lost with the connection or
	// the process means that the message is delivered again. Calls after the
	// first have no effect.
	Settle(s Settlement)
}

// A Settlement is what is to become of a delivered message, and what follows
// from it. All of it becomes durable together, or the message is delivered
// again.
type Settlement struct {
	Verdict Verdict

	// Outcome is the worker's own word for it. Brokers do not store it, but give
	// it back with [Consumer.Unrecorded].
	Outcome string

	// Result is the value that the task returned, in JSON, to be kept if the
	// verdict is Done and Keep of the message is set.
	Result []byte

	// Then are messages to enqueue with the outcome, whatever it is. They are
	// not to be changed any more. One whose id is enqueued already is no error.
	// If one can never be enqueued, none is, and the message becomes a dead
	// letter that says so. A broker without transactions enqueues them before
	// it settles. If the settlement is lost, the task runs again and they are
	// enqueued again, under the same ids.
	Then []*Message
}

// A Verdict is what is to become of a delivered message.
type Verdict int

// The verdicts.
const (
	// Done removes the message: the task was executed.
	Done Verdict = iota + 1

	// Requeue stores the message as the worker changed it, to be delivered
	// again, not before its NotBefore.
	Requeue

	// Dead moves the message, with its failures, to the dead letters of its
	// queue.
	Dead
)
