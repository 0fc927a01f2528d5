package postgres

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// settler stores outcomes, those of many deliveries in one transaction: what comes
// while one is under way goes with the next one. It tries until they are stored.
type settler struct {
	b *Broker

	mu         sync.Mutex
	pending    []*settlement
	committing []*settlement // taken, and not known to be durable
	leaving    []*leave
	flying     bool
	drained    sync.Cond // broadcast when nothing is left to do
}

// A leave is a consumer that ends, once all its outcomes are stored.
type leave struct {
	consumer *consumer
	done     chan struct{}
}

// maxSettle is how many outcomes one transaction has.
const maxSettle = 1000

// put hands in outcomes. They are lost, as they would be with the process, if the
// broker is closed.
func (s *settler) put(ss ...*settlement) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pending = append(s.pending, ss...)
	s.start()
}

// leave ends a consumer, and waits for that.
func (s *settler) leave(ctx context.Context, c *consumer) error {
	if s.b.life.Err() != nil || !s.b.claimer.has(c) {
		return broker.ErrClosed
	}
	l := &leave{c, make(chan struct{})}
	s.mu.Lock()
	s.leaving = append(s.leaving, l)
	s.start()
	s.mu.Unlock()
	select {
	case <-l.done:
		return nil
	case <-ctx.Done():
		return s.b.late(ctx)
	}
}

// start lets the goroutine run, with mu held.
func (s *settler) start() {
	if !s.flying && s.b.life.Err() == nil {
		s.flying = true
		s.b.goes(s.fly)
	}
}

// fly works until there is nothing to do.
func (s *settler) fly(ctx context.Context) {
	for pause := firstPause; ; {
		ss, leaving := s.take()
		if len(ss)+len(leaving) == 0 {
			return
		}
		err := s.settle(ctx, ss, leaving)
		if err == nil {
			pause = firstPause
			continue
		}
		s.putBack(ss, leaving)
		s.b.complain(err)
		if !sleep(ctx, pause) {
			return
		}
		pause = min(2*pause, lastPause)
	}
}

// take takes what one transaction may have. Consumers end after all outcomes.
func (s *settler) take() (ss []*settlement, leaving []*leave) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := min(len(s.pending), maxSettle)
	ss = s.pending[:n:n]
	if s.pending = s.pending[n:]; len(s.pending) == 0 {
		s.pending = nil
		leaving, s.leaving = s.leaving, nil
	}
	s.committing = ss
	if len(ss)+len(leaving) == 0 {
		s.flying = false
		s.drained.Broadcast()
	}
	return ss, leaving
}

func (s *settler) putBack(ss []*settlement, leaving []*leave) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.committing = nil
	s.pending = append(ss[:len(ss):len(ss)], s.pending...)
	s.leaving = append(leaving, s.leaving...)
}

// settle stores outcomes, and ends consumers.
func (s *settler) settle(ctx context.Context, ss []*settlement, leaving []*leave) error {
	b := s.b
	if len(ss) > 0 {
		err := b.try(ctx, func(ctx context.Context, q querier) error { return b.settleAll(ctx, q, ss) })
		if err != nil && len(ss) > 1 && !passes(err) {
			err = s.singly(ctx, ss)
		}
		if err != nil {
			return err
		}
		b.settled(ss)
	}
	for _, l := range leaving {
		if err := b.try(ctx, func(ctx context.Context, q querier) error { return b.forget(ctx, q, l.consumer) }); err != nil {
			return err
		}
		b.claimer.remove(l.consumer)
		b.notifier.notify(l.consumer.queue)
		close(l.done)
	}
	return nil
}

// singly stores outcomes one by one, as one of them may be the reason why they cannot
// be stored together.
func (s *settler) singly(ctx context.Context, ss []*settlement) (failed error) {
	for _, one := range ss {
		if err := s.b.try(ctx, func(ctx context.Context, q querier) error { return s.b.settleAll(ctx, q, []*settlement{one}) }); err != nil {
			if isDataError(err) { // it would be so for ever; the message is freed, and runs again
				s.b.complain(err)
				continue
			}
			failed = err
		}
	}
	return failed
}

// drain waits until everything is stored.
func (s *settler) drain(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer context.AfterFunc(ctx, func() { s.mu.Lock(); s.drained.Broadcast(); s.mu.Unlock() })()
	for s.flying && ctx.Err() == nil {
		s.drained.Wait()
	}
	if slices.ContainsFunc(slices.Concat(s.committing, s.pending), func(s *settlement) bool { return s.verdict != released }) {
		return fmt.Errorf("outcomes of tasks could not be stored; these tasks will run again: %w", s.b.late(ctx))
	}
	return nil
}

// Unrecorded implements [broker.Consumer].
func (c *consumer) Unrecorded() (us []broker.Unrecorded) {
	s := &c.b.settler
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, one := range slices.Concat(s.committing, s.pending) {
		if one.delivery.consumer == c && one.verdict != released {
			m := &one.delivery.message
			us = append(us, broker.Unrecorded{ID: m.ID, Task: m.Task, Verdict: one.verdict, Outcome: one.outcome})
		}
	}
	return us
}
