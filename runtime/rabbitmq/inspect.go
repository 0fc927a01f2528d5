package rabbitmq

import (
	"context"
	"math"
	"slices"
	"sync/atomic"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/codec"
	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/wire"
)

// inspect returns what f returns on an open session, or on the next one if that
// is lost. f may go on after ctx has ended.
func inspect[T any](ctx context.Context, b *Broker, f func(*session) (T, error)) (result T, err error) {
	if err := b.consuming.start(ctx); err != nil {
		return result, err
	}
	var s *session
	for {
		if s == nil {
			s, err = b.consuming.session(ctx)
		} else {
			s, err = b.consuming.next(ctx, s)
		}
		if err != nil {
			return result, err
		}
		on := s
		result, err = within(ctx, func() (T, error) { return f(on) }, nil)
		if err == nil || ctx.Err() != nil || !isClosed(s.Done()) {
			return result, err
		}
	}
}

// change does what f does, in the same way.
func (b *Broker) change(ctx context.Context, f func(*session) error) error {
	_, err := inspect(ctx, b, func(s *session) (struct{}, error) { return struct{}{}, f(s) })
	return err
}

// act does what f does, which counts what it did so far, on an open session, or
// goes on on the next one.
func (b *Broker) act(ctx context.Context, f func(s *session, done *atomic.Int64) error) (int, error) {
	var done atomic.Int64
	err := b.change(ctx, func(s *session) error { return f(s, &done) })
	return int(done.Load()), err
}

// Queues implements broker.Admin. RabbitMQ cannot tell Running and Delayed.
func (b *Broker) Queues(ctx context.Context) ([]broker.QueueState, error) {
	return inspect(ctx, b, func(s *session) (states []broker.QueueState, err error) {
		queues, err := b.registered(ctx, s)
		if err != nil {
			return nil, err
		}
		for _, q := range queues {
			state, err := b.state(ctx, s, q)
			if err != nil {
				return nil, err
			}
			states = append(states, state)
		}
		return states, nil
	})
}

// state counts the messages of a queue.
func (b *Broker) state(ctx context.Context, s *session, queue string) (broker.QueueState, error) {
	state := broker.QueueState{Queue: queue, Running: -1, Delayed: -1}
	for _, c := range consumed {
		n, _, err := queueLength(ctx, s, b.topology.queue(c, queue))
		if err != nil {
			return state, err
		}
		state.Ready += n
	}
	var err error
	if state.Dead, _, err = queueLength(ctx, s, b.topology.queue(classDead, queue)); err != nil {
		return state, err
	}
	state.Paused, err = queueExists(ctx, s, b.topology.paused(queue))
	return state, err
}

// DeadLetters implements broker.Admin. It returns at most 65,535.
func (b *Broker) DeadLetters(ctx context.Context, queue string, limit int) ([]*broker.Message, error) {
	return inspect(ctx, b, func(s *session) (ms []*broker.Message, err error) {
		err = b.browse(ctx, s, b.topology.queue(classDead, queue), min(limit, maxBrowse), arrivalGap, func(ds []*wire.Delivery) ([]uint64, error) {
			for _, d := range ds {
				m, _ := codec.Decode(d, queue) // of a malformed one, what can be read
				ms = append(ms, &m)
			}
			return nil, nil
		})
		return ms, err
	})
}

// RetryDead implements broker.Admin. It finds ids among the oldest 65,535.
func (b *Broker) RetryDead(ctx context.Context, queue string, ids ...string) (int, error) {
	return b.takeDead(ctx, queue, ids, func(ds []*wire.Delivery) []error {
		as := make([]admission, len(ds))
		errs := make([]error, len(ds))
		for i, d := range ds {
			as[i], errs[i] = b.revive(d, queue)
		}
		b.admitMany(ctx, as, errs)
		return errs
	})
}

// revive returns a dead letter on its way back to its queue.
func (b *Broker) revive(d *wire.Delivery, queue string) (admission, error) {
	m, err := codec.Decode(d, queue)
	m.Keep = min(m.Keep, maxKeep) // a producer in another language may ask for more
	if err != nil {               // malformed; the worker will say so again
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
	return b.admission(&m)
}

// DeleteDead implements broker.Admin. It finds ids among the oldest 65,535.
func (b *Broker) DeleteDead(ctx context.Context, queue string, ids ...string) (int, error) {
	return b.takeDead(ctx, queue, ids, func(ds []*wire.Delivery) []error { return make([]error, len(ds)) })
}

// takeDead removes those dead letters from a queue, of the given ids or all that
// there are, for which f returns no error. It returns how many.
func (b *Broker) takeDead(ctx context.Context, queue string, ids []string, f func([]*wire.Delivery) []error) (int, error) {
	name := b.topology.queue(classDead, queue)
	return b.act(ctx, func(s *session, taken *atomic.Int64) error {
		left, _, err := queueLength(ctx, s, name)
		if len(ids) > 0 {
			left = min(left, maxBrowse)
		}
		for left > 0 && err == nil {
			before := taken.Load()
			err = b.takeDeadOnce(ctx, s, name, min(left, maxBrowse), ids, f, taken)
			if taken.Load() == before {
				break
			}
			left -= maxBrowse
		}
		return err
	})
}

// takeDeadOnce is takeDead of the oldest dead letters, at most maxBrowse.
func (b *Broker) takeDeadOnce(ctx context.Context, s *session, name string, limit int, ids []string, f func([]*wire.Delivery) []error, taken *atomic.Int64) error {
	return b.browse(ctx, s, name, limit, arrivalGap, func(ds []*wire.Delivery) (remove []uint64, failed error) {
		if len(ids) > 0 {
			ds = slices.DeleteFunc(ds, func(d *wire.Delivery) bool { return !slices.Contains(ids, d.MessageID) })
		}
		for i, err := range f(ds) {
			if err != nil {
				failed = err
				continue
			}
			remove = append(remove, ds[i].Tag)
		}
		taken.Add(int64(len(remove)))
		return remove, failed
	})
}

// Purge implements broker.Admin. A message that passes from one level of
// delay to the next in that moment may escape.
func (b *Broker) Purge(ctx context.Context, queue string) (int, error) {
	return b.act(ctx, func(s *session, purged *atomic.Int64) error {
		// Messages come down the levels, and then are ready.
		for level := levels - 1; level >= 0; level-- {
			if err := b.purgeLevel(ctx, s, level, queue, purged); err != nil {
				return err
			}
		}
		for _, c := range consumed {
			err := s.Declare(ctx, func(ch *amqp.Channel) error {
				n, err := ch.QueuePurge(b.topology.queue(c, queue), false)
				purged.Add(int64(n))
				return err
			})
			if err != nil && !isCode(err, amqp.NotFound) {
				return err
			}
		}
		return nil
	})
}

// purgeLevel deletes the messages of a queue that wait at a level of delay,
// among those of other queues.
func (b *Broker) purgeLevel(ctx context.Context, s *session, level int, queue string, purged *atomic.Int64) error {
	return b.browse(ctx, s, b.topology.names.level(level), math.MaxInt, levelGap, func(ds []*wire.Delivery) (remove []uint64, err error) {
		for _, d := range ds {
			for _, c := range consumed {
				if len(d.Key) > keyDigits && d.Key[keyDigits:] == b.topology.queue(c, queue) {
					remove = append(remove, d.Tag)
				}
			}
		}
		purged.Add(int64(len(remove)))
		return remove, nil
	})
}
