package rabbitmq

import (
	"cmp"
	"context"
	"fmt"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/census"
	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/codec"
	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/results"
)

// An admission is a message on its way in. All ways in make one: Enqueue and
// EnqueueMany, a tick of a schedule, the retry of a dead letter, and what
// follows from the outcome of another message.
type admission struct {
	acceptance *publication // recorded before; nil if no result is kept
	message    *publication
}

// Enqueue implements broker.Broker. It returns nil once RabbitMQ has confirmed
// the message, which with a quorum queue means that a majority of its nodes
// have it on disk.
func (b *Broker) Enqueue(ctx context.Context, m *broker.Message) error {
	a, err := b.admission(m)
	if err != nil {
		return err
	}
	return b.admit(ctx, a)
}

// EnqueueMany implements broker.Broker: the messages follow each other without
// waiting for each other's confirms.
func (b *Broker) EnqueueMany(ctx context.Context, ms []*broker.Message) []error {
	as := make([]admission, len(ms))
	errs := make([]error, len(ms))
	for i, m := range ms {
		as[i], errs[i] = b.admission(m)
	}
	b.admitMany(ctx, as, errs)
	return errs
}

// admission returns the admission of a message. Every call is for another
// message, even if it has the same id.
func (b *Broker) admission(m *broker.Message) (admission, error) {
	if err := m.Validate(); err != nil {
		return admission{}, err
	}
	return b.admissionAs(m, "")
}

// repeatableAdmission returns the admission of a message that a fault may
// repeat: all with its id are the same message, and the first result counts.
func (b *Broker) repeatableAdmission(m *broker.Message) (admission, error) {
	if err := m.Validate(); err != nil {
		return admission{}, err
	}
	return b.admissionAs(m, m.ID)
}

// admissionAs returns the admission of a valid message under a nonce, which tells
// apart the times it is accepted; an empty one stands for a new one. The
// admission refers to the body of m.
func (b *Broker) admissionAs(m *broker.Message, nonce string) (admission, error) {
	if m.Keep > results.MaxKeep {
		return admission{}, fmt.Errorf("keep %v: RabbitMQ keeps results for %v at most", m.Keep, results.MaxKeep)
	}
	p, err := b.publication(m)
	if err != nil {
		return admission{}, err
	}
	return admission{b.acceptance(m, nonce), p}, nil
}

// admit publishes what an admission holds. The record is published first: when it
// is there, nobody can have executed the message yet.
func (b *Broker) admit(ctx context.Context, a admission) error {
	if a.acceptance != nil {
		if err := b.publish(ctx, a.acceptance); err != nil {
			return err
		}
	}
	if err := b.clerk.cover(ctx, a.message); err != nil {
		return err
	}
	return b.publish(ctx, a.message)
}

// admitMany publishes those of the admissions that have no error so far, and
// sets their errors.
func (b *Broker) admitMany(ctx context.Context, as []admission, errs []error) {
	ps := make([]*publication, len(as))
	for i, a := range as {
		if errs[i] == nil {
			ps[i] = a.message
		}
	}
	if err := b.clerk.cover(ctx, ps...); err != nil {
		for i := range errs {
			errs[i] = cmp.Or(errs[i], err)
		}
		return
	}
	kept := false
	for i, a := range as {
		ps[i] = nil
		if errs[i] == nil && a.acceptance != nil {
			ps[i], kept = a.acceptance, true
		}
	}
	if kept {
		b.publishMany(ctx, ps, errs)
	}
	for i, a := range as {
		ps[i] = nil
		if errs[i] == nil {
			ps[i] = a.message
		}
	}
	b.publishMany(ctx, ps, errs)
}

// publication returns m on its way to its queue. It refers to m's body.
func (b *Broker) publication(m *broker.Message) (*publication, error) {
	message, err := codec.Encode(m)
	if err != nil {
		return nil, err
	}
	c := classOf(m.Priority)
	return &publication{
		message: message, queue: m.Queue, class: c, name: b.topology.queue(c, m.Queue), due: m.NotBefore,
		kind: census.Kind{Queue: m.Queue, Task: m.Task, Schema: m.Schema},
	}, nil
}
