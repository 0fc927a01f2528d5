package rabbitmq

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/codec"
	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/results"
	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/wire"
)

// DeadLetters implements broker.Admin. It returns at most 65,535.
func (b *Broker) DeadLetters(ctx context.Context, queue string, limit int) ([]*broker.Message, error) {
	return ask(ctx, b, func(s *session) (ms []*broker.Message, err error) {
		err = b.browse(ctx, s, b.topology.queue(classDead, queue), min(limit, maxBrowse), arrivalGap, func(ds []*wire.Delivery) ([]uint64, error) {
			for _, d := range ds {
				m := decodeDead(d, queue)
				ms = append(ms, &m)
			}
			return nil, nil
		})
		return ms, err
	})
}

// decodeDead returns a dead letter; of a malformed one, what can be read.
func decodeDead(d *wire.Delivery, queue string) broker.Message {
	m, err := codec.Decode(d, queue)
	if f, ok := codec.MovedBy(d); ok {
		f.Attempt = m.Attempt
		if err != nil {
			f.Error += ": " + err.Error()
		}
		m.Failures = append(m.Failures, f)
	}
	return m
}

// RetryDead implements broker.Admin. It finds ids among the oldest 65,535.
func (b *Broker) RetryDead(ctx context.Context, queue string, ids ...string) (int, error) {
	return b.takeDead(ctx, queue, maxBrowse, withIDs(ids), func(ds []*wire.Delivery) []error { return b.reviveMany(ctx, ds, queue) })
}

// reviveMany returns dead letters to their queue.
func (b *Broker) reviveMany(ctx context.Context, ds []*wire.Delivery, queue string) []error {
	as := make([]admission, len(ds))
	errs := make([]error, len(ds))
	ids := make([]string, len(ds))
	for i, d := range ds {
		as[i], errs[i] = b.revive(d, queue)
		ids[i] = d.MessageID
	}
	if err := b.undoCancel(ctx, ids); err != nil {
		return slices.Repeat([]error{err}, len(ds))
	}
	b.admitMany(ctx, as, errs)
	return errs
}

// revive returns a dead letter on its way back to its queue.
func (b *Broker) revive(d *wire.Delivery, queue string) (admission, error) {
	m, err := codec.Decode(d, queue)
	if d.Discarded > 0 {
		return admission{}, fmt.Errorf("%w: dead letter %s stays where it is, for no worker can run it: %w", broker.ErrTooLarge, m.ID, err)
	}
	m.Keep = min(m.Keep, results.MaxKeep) // a producer in another language may ask for more
	if err != nil {                       // malformed; the worker will say so again
		name := b.topology.queue(classDefault, queue)
		p := &publication{message: codec.Forward(d, ""), queue: queue, class: classDefault, name: name}
		return admission{b.acceptance(&m, ""), p}, nil
	}
	m.Attempt = 1
	m.NotBefore = time.Time{}
	m.HandedBack, m.HandedBackSince = 0, time.Time{}
	if !m.Expires.IsZero() && time.Until(m.Expires) < 0 {
		m.Expires = time.Time{} // it is wanted all the same
	}
	return b.admissionAs(&m, "") // not validated: it may come from a producer with other bounds
}

// DeleteDead implements broker.Admin. It finds ids among the oldest 65,535.
func (b *Broker) DeleteDead(ctx context.Context, queue string, ids ...string) (int, error) {
	return b.takeDead(ctx, queue, maxBrowse, withIDs(ids), func(ds []*wire.Delivery) []error { return make([]error, len(ds)) })
}

// withIDs says which dead letters are wanted; without ids it is nil, for all.
func withIDs(ids []string) (wanted func(*wire.Delivery) bool) {
	if len(ids) == 0 {
		return nil
	}
	return func(d *wire.Delivery) bool { return slices.Contains(ids, d.MessageID) }
}

// takeDead removes those dead letters from a queue that are wanted, or all if
// wanted is nil, and for which f returns no error. It returns how many. It looks at
// no more than most at a time; if some are wanted, at the oldest only.
func (b *Broker) takeDead(ctx context.Context, queue string, most int, wanted func(*wire.Delivery) bool, f func([]*wire.Delivery) []error) (int, error) {
	name := b.topology.queue(classDead, queue)
	return b.act(ctx, func(s *session, taken *atomic.Int64) error {
		left, _, err := queueLength(ctx, s, name)
		if wanted != nil {
			left = min(left, most)
		}
		for left > 0 && err == nil {
			before := taken.Load()
			err = b.takeDeadOnce(ctx, s, name, min(left, most), wanted, f, taken)
			if taken.Load() == before {
				break
			}
			left -= most
		}
		return err
	})
}

// takeDeadOnce is takeDead of the oldest dead letters, at most limit.
func (b *Broker) takeDeadOnce(ctx context.Context, s *session, name string, limit int, wanted func(*wire.Delivery) bool, f func([]*wire.Delivery) []error, taken *atomic.Int64) error {
	var tooLarge error // stays, and is in nobody's way
	err := b.browse(ctx, s, name, limit, arrivalGap, func(ds []*wire.Delivery) (remove []uint64, failed error) {
		if wanted != nil {
			ds = slices.DeleteFunc(ds, func(d *wire.Delivery) bool { return !wanted(d) })
		}
		for i, err := range f(ds) {
			switch {
			case errors.Is(err, broker.ErrTooLarge):
				tooLarge = err
				continue
			case err != nil:
				failed = err
				continue
			}
			remove = append(remove, ds[i].Tag)
		}
		taken.Add(int64(len(remove)))
		return remove, failed
	})
	return cmp.Or(err, tooLarge)
}
