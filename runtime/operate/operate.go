// Package operate is what operators see and do, over any broker: queues, messages by
// a selection, one message, dead letters, pauses. Commands and pages are thin over it.
//
// What changes many messages is a [Plan] first, which says how many and which; and it
// changes these, as they were when they were counted, and no others.
//
// A broker that lacks a capability refuses with an error that wraps
// [broker.ErrUnsupported] and says why.
package operate

import (
	"context"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// An Operator looks into one broker, and acts on what is found. All methods are safe
// for concurrent use.
type Operator struct{ broker broker.Broker }

// New returns the operator of a broker, which stays the caller's to close.
func New(b broker.Broker) *Operator { return &Operator{b} }

// Queues returns the state of all queues, sorted by name. A count of -1 is not known.
func (o *Operator) Queues(ctx context.Context) ([]broker.QueueState, error) {
	admin, err := broker.As[broker.Admin](o.broker)
	if err != nil {
		return nil, err
	}
	return admin.Queues(ctx)
}

// Orphans returns the queues that have messages waiting and no consumer.
func (o *Operator) Orphans(ctx context.Context) ([]broker.QueueState, error) {
	overseer, err := broker.As[broker.Overseer](o.broker)
	if err != nil {
		return nil, err
	}
	return overseer.Neglected(ctx)
}

// Workers returns the processes that run tasks, sorted by host and process id: those
// that have been heard of in the last seconds.
func (o *Operator) Workers(ctx context.Context) ([]broker.Process, error) {
	registry, err := broker.As[broker.Registry](o.broker)
	if err != nil {
		return nil, err
	}
	return registry.Processes(ctx)
}

// Pause stops the delivery of a queue until Resume, for all workers. The queue need
// not exist yet.
func (o *Operator) Pause(ctx context.Context, queue string) error {
	admin, err := broker.As[broker.Admin](o.broker)
	if err != nil {
		return err
	}
	return admin.Pause(ctx, queue)
}

// Resume ends a pause.
func (o *Operator) Resume(ctx context.Context, queue string) error {
	admin, err := broker.As[broker.Admin](o.broker)
	if err != nil {
		return err
	}
	return admin.Resume(ctx, queue)
}

// Purge deletes what is ready and delayed of a queue, and returns how many messages
// that were. Dead letters stay.
func (o *Operator) Purge(ctx context.Context, queue string) (int, error) {
	admin, err := broker.As[broker.Admin](o.broker)
	if err != nil {
		return 0, err
	}
	return admin.Purge(ctx, queue)
}
