// Package operate is what operators see and do, over any broker: queues, messages by
// a selection, one message, dead letters, pauses. Commands and pages are thin over it.
//
// What changes many messages is a [Plan] first, which says how many and which; and it
// changes these, as they were when they were counted, and no others.
//
// Who changed what is kept in the journal of the broker; a page says by [As] on whose
// behalf it acts.
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
type Operator struct {
	broker broker.Broker
	own    []Task
	outbox broker.Outbox // nil if there is none
}

// New returns the operator of a broker, which stays the caller's to close. A program
// that has tasks gives them, as [Own] returns them: then their types are known.
func New(b broker.Broker, own ...Task) *Operator { return &Operator{broker: b, own: own} }

// WithOutbox returns an operator that looks into an outbox, too. Nil is none.
func (o *Operator) WithOutbox(box broker.Outbox) *Operator {
	with := *o
	with.outbox = box
	return &with
}

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
	return overseer.Orphans(ctx)
}

// Purge deletes what is ready and delayed of a queue, and returns how many messages
// that were. Dead letters stay.
func (o *Operator) Purge(ctx context.Context, queue string) (int, error) {
	admin, err := broker.As[broker.Admin](o.broker)
	if err != nil {
		return 0, err
	}
	var n int
	err = o.act(ctx, broker.Act{Did: "purged", On: "queue:" + queue, Planned: -1}, func(a *broker.Act) (err error) {
		n, err = admin.Purge(ctx, queue)
		a.Changed = n
		return err
	})
	return n, err
}
