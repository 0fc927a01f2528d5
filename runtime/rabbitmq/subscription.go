package rabbitmq

import (
	"context"
	"fmt"
	"sync"

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
	active    bool                // not paused
	growing   chan error          // if not nil: fetchers are being started; receives once
	received  []*wire.Delivery    // reused
	cancelled []string            // tags of fetchers that RabbitMQ has cancelled
	renewal   renewal

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
	prefetch := c.pace.prefetch
	return within(ctx, func() (*subscription, error) { return openSubscription(ctx, c, s, prefetch) }, (*subscription).abandon)
}

// openSubscription begins to consume a queue on s, unless it is paused.
func openSubscription(ctx context.Context, c *consumer, s *session, prefetch int) (*subscription, error) {
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
	for i, class := range consumed {
		sub.sources[i].class = class
	}
	go func() {
		<-ch.Done()
		sub.cancelCtx(fmt.Errorf("channel: %w", ch.Err()))
	}()
	if err := sub.pauseOrResume(ctx, prefetch); err != nil {
		sub.abandon()
		return nil, err
	}
	c.ledger.begin(sub.acks)
	return sub, nil
}

// pauseOrResume starts or stops the consumption as the queue is paused or not.
func (sub *subscription) pauseOrResume(ctx context.Context, prefetch int) error {
	c := sub.consumer
	paused, err := queueExists(ctx, sub.session, c.b.topology.paused(c.queue))
	if err != nil {
		return err
	}
	if paused == !sub.active {
		return nil
	}
	sub.active = !paused
	if paused {
		c.log.Info("queue paused")
		return sub.quiesce()
	}
	sub.acks.expect(prefetch)
	return sub.begin(sub.more(prefetch))
}
