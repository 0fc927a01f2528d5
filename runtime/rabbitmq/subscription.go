package rabbitmq

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/wire"
)

// A subscription consumes all classes of a queue through one channel. It ends
// with the channel, and its deliveries with it.
type subscription struct {
	consumer  *consumer
	session   *session
	ch        *wire.Channel
	acks      *acker
	sources   [len(consumed)]source
	fetchers  map[string]*fetcher // by tag, also the former ones
	tags      int                 // how many were used
	active    bool                // all classes are fetched
	passes    atomic.Int32        // what is fetched, see gate.go
	growing   chan error          // if not nil: fetchers are being started; receives once
	received  []*wire.Delivery    // reused
	cancelled []string            // tags of fetchers that RabbitMQ has cancelled
	renewal   renewal

	// What waits in vain, see shed.go.
	looking   bool      // look is about to be called
	picksSeen int       // deliveries of the consumer when it was called last
	moved     time.Time // when one was noticed
	shedding  bool      // fetchers are to be cancelled, and nothing is acknowledged
	shedSince time.Time
	asked     time.Time // when RabbitMQ was asked last whether it is silent for a reason

	ctx       context.Context // ends with the channel
	cancelCtx context.CancelCauseFunc

	moving sync.WaitGroup // messages that are being published again

	// quieted is closed when the consumer was stopped and a while has passed.
	quieted   chan struct{}
	quietOnce sync.Once
}

// subscribe declares the queue and begins to consume it on s, unless it is
// paused.
func subscribe(ctx context.Context, c *consumer, s *session) (*subscription, error) {
	if err := c.b.topology.ensureConsumed(ctx, s, c.queue); err != nil {
		return nil, err
	}
	return within(ctx, func() (*subscription, error) { return openSubscription(ctx, c, s) }, (*subscription).abandon)
}

// openSubscription begins to consume a queue on s, unless it is paused.
func openSubscription(ctx context.Context, c *consumer, s *session) (*subscription, error) {
	ch, err := s.Channel(ctx)
	if err != nil {
		return nil, err
	}
	sub := &subscription{
		consumer: c,
		session:  s,
		ch:       ch,
		acks:     newAcker(ch),
		fetchers: make(map[string]*fetcher),
		quieted:  make(chan struct{}),
	}
	sub.ctx, sub.cancelCtx = context.WithCancelCause(context.Background())
	sub.passes.Store(passNone)
	for i, class := range consumed {
		sub.sources[i].class = class
	}
	go func() {
		<-ch.Done()
		sub.cancelCtx(fmt.Errorf("channel: %w", ch.Err()))
	}()
	if err := sub.pauseOrResume(); err != nil {
		sub.abandon()
		return nil, err
	}
	c.ledger.begin(sub.acks)
	return sub, nil
}

// pauseOrResume starts or stops the consumption as the queue is paused or not, and
// as the gate is open or shut.
func (sub *subscription) pauseOrResume() error {
	c := sub.consumer
	_, paused := c.b.controls.pauseOf(broker.PauseQueue, c.queue)
	pass, now := c.gate.Load(), sub.passes.Load()
	if paused {
		pass = passNone
	}
	if !c.isPaused.Swap(paused) && paused && now != passNone {
		c.log.Info("queue paused")
	}
	if pass == now {
		return nil
	}
	if now != passNone {
		if err := sub.quiesce(); err != nil {
			return err
		}
	}
	sub.active = pass == passAll
	sub.passes.Store(pass)
	var first []*fetcher
	for i := range sub.sources {
		s := &sub.sources[i]
		switch {
		case pass == passAll:
			first = append(first, sub.moreBase(s)...)
		case pass == passSuspect && s.class == classQuarantine:
			s.base = []*fetcher{sub.fetcher(s, false, 1)}
			first = s.base
		}
	}
	sub.acks.expect(c.pace.concurrency + c.pace.ahead)
	return sub.begin(first)
}

// suspectCame ends the fetching from quarantine once a suspect has come.
func (sub *subscription) suspectCame() error {
	if sub.passes.Load() != passSuspect {
		return nil
	}
	for _, f := range sub.all() {
		if sub.acks.unacked(f) < f.prefetch {
			continue
		}
		if err := sub.end(f); err != nil {
			return err
		}
		sub.consumer.suspects.Add(1)
	}
	return nil
}
