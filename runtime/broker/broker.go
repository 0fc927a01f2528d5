package broker

import (
	"context"
	"log/slog"
)

// A Broker stores messages and hands them to workers.
//
// All methods are safe for concurrent use. Brokers reconnect by themselves. A
// method fails only if its context ends, if the message is wrong, or if it is of no
// use to reconnect.
type Broker interface {
	// Enqueue returns nil when m is on disk and sure to reach its queue. It does
	// not keep m. It returns an error if [Message.Validate] does, and so does every
	// other method that takes messages. Its error wraps the one of this package
	// that fits.
	Enqueue(ctx context.Context, m *Message) error

	// EnqueueMany enqueues all of ms with few round trips. It returns an error, or
	// nil, for each.
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

	// Cancelled, unless it is nil, is called with the id of a message that was
	// cancelled when it may be in the hands of the worker ([Canceller]). From then on
	// its [Delivery] says so, too. It must not wait.
	Cancelled func(id string)

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

	// Close stops, and waits until all settlements so far are durable, or ctx ends.
	// It gives up the deliveries that are not settled: another worker gets them. If
	// it returns an error, [Consumer.Unrecorded] may name some.
	Close(ctx context.Context) error

	// Unrecorded returns the settlements that may not be on disk. Before Close
	// these are the ones that the broker is busy with. After Close they are the
	// ones whose messages may be delivered again. There are never more of them than
	// deliveries at one time.
	Unrecorded() []Unrecorded
}

// An Unrecorded is a settlement that may not be on disk.
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

	// Cancelled reports whether the message was cancelled, as far as is known. Who
	// receives it asks before running it; later, [ConsumeOptions].Cancelled tells.
	Cancelled() bool

	// Settle says what is to become of the message. It returns at once, and has no
	// error. If the settlement is lost, because the connection or the process ends,
	// the message is delivered again. More calls have no effect.
	Settle(s Settlement)
}

// A Settlement says what is to become of a delivered message, and which messages
// follow. The broker stores all of it, or delivers the message again.
type Settlement struct {
	Verdict Verdict

	// Outcome is the name that the worker has for it. Brokers do not store it, but
	// return it from [Consumer.Unrecorded].
	Outcome string

	// Result is the value that the task returned, in JSON. The broker keeps it if
	// the verdict is Done and Keep of the message is set.
	Result []byte

	// Then are messages to enqueue together with the outcome, whatever that is. Do
	// not change them afterwards. A message whose id is there already is no error.
	// If one of them can never be enqueued, none is, and the settled message
	// becomes a dead letter that says so.
	//
	// A broker without transactions enqueues them before it settles. If the
	// settlement is lost, the task runs again, and they are enqueued again under
	// the same ids.
	Then []*Message
}

// A Verdict says what is to become of a delivered message.
type Verdict int

// The verdicts.
const (
	// Done removes the message: the task was executed.
	Done Verdict = iota + 1

	// Requeue stores the message as the worker has changed it. It is delivered
	// again, at NotBefore at the earliest.
	Requeue

	// Dead moves the message, with its failures, to the dead letters of its
	// queue.
	Dead

	// Cancelled removes the message: it was cancelled, and is not to run again. If
	// Keep of the message is set, the broker keeps that as its outcome.
	Cancelled
)
