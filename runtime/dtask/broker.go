package dtask

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
)

// A Broker stores messages and hands them to workers. Package brokertest holds
// the suite that every implementation passes.
//
// All methods are safe for concurrent use. Brokers reconnect by themselves: a
// method fails when its context ends, when the message itself is at fault, or
// when no reconnecting will help.
type Broker interface {
	// Enqueue returns nil once m is durable and sure to reach its queue. It
	// does not keep m. Its error wraps one of the errors of this package where
	// one fits. If ctx has a transaction ([WithTransaction]) m is enqueued in
	// it, or refused.
	Enqueue(ctx context.Context, m *Message) error

	// EnqueueMany enqueues all of ms in as few round trips as it can. The
	// result has an error, or nil, for each.
	EnqueueMany(ctx context.Context, ms []*Message) []error

	// Consume starts to deliver the messages of a queue. It returns once the
	// queue exists and deliveries can begin; ctx bounds only that. After a
	// nil error the consumer goes on, through lost connections, until Close.
	Consume(ctx context.Context, o ConsumeOptions) (Consumer, error)

	Inspector
	Scheduler
	Results

	// Close ends the connections. Consumers are to be closed first.
	Close() error
}

// ConsumeOptions says what a consumer delivers.
type ConsumeOptions struct {
	// Queue is the queue to consume.
	Queue string

	// Concurrency is how many messages the worker handles at once. The broker
	// derives from it how many it fetches ahead.
	Concurrency int
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
	// gets them.
	Close(ctx context.Context) error
}

// A Delivery is a message in the hands of a worker, who must settle it once.
type Delivery interface {
	// Message returns the message. The worker may change it before Settle; the
	// broker stores it as it is then.
	Message() *Message

	// Settle reports the outcome. It does not wait until the outcome is
	// durable, and cannot fail: an outcome that is lost with the connection or
	// the process means that the message is delivered again. Calls after the
	// first have no effect.
	Settle(v Verdict)
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

	// Bury moves the message, with its failures, to the dead letters of its
	// queue.
	Bury
)

// An Inspector looks into the queues of a broker, and acts on what it finds.
type Inspector interface {
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

// An OpenFunc opens the broker that a URL names.
type OpenFunc func(ctx context.Context, url string) (Broker, error)

var (
	driversMu sync.RWMutex
	drivers   = make(map[string]OpenFunc)
)

// RegisterBroker makes a broker available to [Open] under a URL scheme. A
// package of a broker calls it in its init. It panics if the scheme is taken.
func RegisterBroker(scheme string, open OpenFunc) {
	driversMu.Lock()
	defer driversMu.Unlock()
	if drivers[scheme] != nil {
		panic("dtask: RegisterBroker called twice for scheme " + scheme)
	}
	drivers[scheme] = open
}

// brokerPackages names the package to import for each scheme of this module.
var brokerPackages = map[string]string{
	"sqlite": "sqlite",
	"amqp":   "rabbitmq",
	"amqps":  "rabbitmq",
}

// OpenBroker opens the broker that url names by its scheme.
func OpenBroker(ctx context.Context, url string) (Broker, error) {
	scheme, _, ok := strings.Cut(url, ":")
	if !ok || scheme == "" {
		// Not quoted: what is not a URL may still hold a password.
		return nil, fmt.Errorf("broker URL has no scheme; use sqlite:FILE or amqp://HOST (DTASK_URL)")
	}
	driversMu.RLock()
	open := drivers[scheme]
	known := slices.Sorted(maps.Keys(drivers))
	driversMu.RUnlock()
	if open != nil {
		return open(ctx, url)
	}
	if p := brokerPackages[scheme]; p != "" {
		return nil, fmt.Errorf("broker %q is not linked in; import _ \"github.com/dtaskhq/dtask/runtime/%s\"", scheme, p)
	}
	return nil, fmt.Errorf("no broker for URL scheme %q; linked in: %s", truncate(scheme, 40), strings.Join(known, ", "))
}
