package rabbitmq

import (
	"context"
	"sync/atomic"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// ask calls f with an open session, and again with the next one if that is lost.
// f may go on after ctx has ended.
func ask[T any](ctx context.Context, b *Broker, f func(*session) (T, error)) (result T, err error) {
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
			return result, b.consuming.trouble.explain(err)
		}
	}
}

// change calls f in the same way.
func (b *Broker) change(ctx context.Context, f func(*session) error) error {
	_, err := ask(ctx, b, func(s *session) (struct{}, error) { return struct{}{}, f(s) })
	return err
}

// act calls f in the same way, and returns how much f has done on all sessions
// together.
func (b *Broker) act(ctx context.Context, f func(s *session, done *atomic.Int64) error) (int, error) {
	var done atomic.Int64
	err := b.change(ctx, func(s *session) error { return f(s, &done) })
	return int(done.Load()), err
}

// Queues implements broker.Admin. RabbitMQ cannot tell Running and Delayed.
func (b *Broker) Queues(ctx context.Context) ([]broker.QueueState, error) {
	return ask(ctx, b, func(s *session) (states []broker.QueueState, err error) {
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
	if p, ok := b.controls.pauseOf(broker.PauseQueue, queue); ok {
		state.Paused, state.PausedUntil = true, p.Until
	}
	state.Dead, _, err = queueLength(ctx, s, b.topology.queue(classDead, queue))
	return state, err
}

// Due implements [broker.Admin].
func (b *Broker) Due(ctx context.Context, queue string) (bool, error) {
	return ask(ctx, b, func(s *session) (due bool, err error) {
		if err := b.consuming.hosts.useless(s.host); err != nil {
			return false, err // it would say that nothing is due
		}
		for _, c := range consumed {
			n, _, err := queueLength(ctx, s, b.topology.queue(c, queue))
			if err != nil {
				return false, err
			}
			due = due || n > 0
		}
		return due, nil
	})
}
