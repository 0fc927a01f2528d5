package rabbitmq

import (
	"context"
	"fmt"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/codec"
	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/wire"
)

// A quorum queue counts each message that a consumer returns, as if its worker had died,
// which would cost an attempt. So a message that was looked at is put off instead, as one
// that a worker hands back: for the shortest delay there is, after which it is in the
// queue of what is due, and not behind all others.

var _ broker.Peeker = (*Broker)(nil)

// peeked are the classes that Peek looks at, in its order: what it puts off comes to the
// first of them, where it would see it again. Of those in quarantine each may be about to
// kill its worker, which is to be found out one at a time.
var peeked = [...]class{classDue, classHigh, classDefault, classLow}

// Peek implements [broker.Peeker].
func (b *Broker) Peek(ctx context.Context, queue string, n int) (found []broker.Stored, err error) {
	if err := broker.ValidateQueue(queue); err != nil {
		return nil, err
	}
	if n < 1 || n > broker.MaxPeek {
		return nil, fmt.Errorf("a peek at %d messages: ask for 1 to %d", n, broker.MaxPeek)
	}
	err = b.change(ctx, func(on *session) error {
		for _, c := range peeked {
			err := b.takeFirst(ctx, on, b.topology.queue(c, queue), n-len(found), func(ds []*wire.Delivery) ([]uint64, error) {
				seen, remove, err := b.putOff(ctx, ds, c, queue)
				found = append(found, seen...)
				return remove, err
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	return found, err
}

// takeFirst passes up to limit messages of a queue to f, oldest first, and removes those
// whose tags f returns. Unlike browse it takes no more than these into its hands: an
// acknowledgement would bring the next one, and that would be returned.
func (b *Broker) takeFirst(ctx context.Context, s *session, queue string, limit int, f func([]*wire.Delivery) (remove []uint64, err error)) error {
	n, _, err := queueLength(ctx, s, queue)
	if limit = min(limit, n); limit <= 0 || err != nil {
		return err
	}
	unlock, err := b.lock(ctx, s, queue)
	if err != nil {
		return err
	}
	defer unlock()
	ch, err := s.Channel(ctx)
	if err != nil {
		return err
	}
	defer ch.Close()
	const tag = "peek"
	if err := ch.Consume(queue, tag, limit, ""); err != nil {
		return err
	}
	var ds []*wire.Delivery
	for len(ds) < limit {
		more, err := rest(ctx, ch, queue, levelGap)
		if err != nil {
			return err
		}
		if len(more) == 0 {
			break // workers have taken the rest
		}
		ds = append(ds, more...)
	}
	if err := ch.Cancel(tag); err != nil {
		return err
	}
	remove, err := f(ds)
	for _, tag := range remove {
		ch.Ack(tag, false)
	}
	ch.Requeue()
	if len(remove) > 0 {
		settleDown(ctx, ch, queue)
	}
	return err
}

// putOff publishes messages again, to be due in a moment. It returns them, and the tags of
// those that are to be removed where they were.
func (b *Broker) putOff(ctx context.Context, ds []*wire.Delivery, c class, queue string) (seen []broker.Stored, remove []uint64, err error) {
	ps, errs := make([]*publication, len(ds)), make([]error, len(ds))
	for i, d := range ds {
		m, malformed := codec.Decode(d, queue)
		m.Priority = b.priorityOf(d, c, m.Priority)
		shown := m
		seen = append(seen, broker.Stored{Message: &shown, State: broker.StateReady, At: dueSince(&m)})
		switch deaths := codec.DeliveryCount(d); {
		case d.Discarded > 0:
			continue // a worker refuses it, whatever its attempts
		case malformed != nil:
			ps[i] = &publication{message: codec.Forward(d, ""), queue: queue, class: c, name: b.topology.queue(c, queue)}
			continue
		case m.Attempt+deaths >= m.Attempts && deaths > 0:
			ps[i] = b.suspect(d, &m)
			continue
		default:
			m.Attempt += deaths
		}
		m.NotBefore = time.Now().Add(delayUnit)
		ps[i], errs[i] = b.publication(&m)
	}
	b.publishMany(ctx, ps, errs)
	for i, d := range ds {
		switch {
		case errs[i] != nil:
			err = errs[i]
		case ps[i] != nil:
			remove = append(remove, d.Tag)
		}
	}
	return seen, remove, err
}

// dueSince returns when a message was due.
func dueSince(m *broker.Message) time.Time {
	if m.NotBefore.After(m.EnqueuedAt) {
		return m.NotBefore
	}
	return m.EnqueuedAt
}
