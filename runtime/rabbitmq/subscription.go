package rabbitmq

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/codec"
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
	consumers map[string]*prefetching // by tag, also those cancelled
	tags      int                     // how many were used
	active    bool                    // not paused
	growing   chan error              // if not nil: consumers are being started; receives once
	received  []*wire.Delivery        // reused
	cancelled []string                // tags of consumers that RabbitMQ has cancelled
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
		consumer:  c,
		session:   s,
		ch:        ch,
		acks:      newAcker(ch),
		consumers: make(map[string]*prefetching),
		quieted:   make(chan struct{}),
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

// adapt makes the prefetch what the pace of the tasks asks for. More of it comes
// in the background: RabbitMQ takes its time to start a consumer.
func (sub *subscription) adapt(prefetch int) error {
	sub.acks.expect(prefetch)
	if added := sub.more(prefetch); added != nil {
		growing := make(chan error, 1)
		sub.growing = growing
		go func() { growing <- sub.begin(added) }()
		return nil
	}
	err := sub.cancel(sub.less(prefetch))
	sub.handBackFetched(prefetch)
	return err
}

// accept returns a received message as a delivery, or nil if it is not for the
// worker: it is moved then.
//
// What a message that kills its worker costs is decided here. Every death
// counts as an attempt, but RabbitMQ counts it for all messages that the
// worker had fetched, most of which were not even running. So a message whose
// attempts have run out by deaths gets another chance in quarantine, a queue
// of which a worker has one message at a time; a death there, too, may be
// another's fault, the second one no more.
func (sub *subscription) accept(from *prefetching, raw *wire.Delivery, now time.Time) *delivery {
	d := &delivery{sub: sub, from: from, raw: raw, body: raw.Body, since: now}
	from.received++
	move := sub.judge(d)
	d.attempt = d.message.Attempt
	if move != nil {
		sub.acks.add(d, claimed)
		move()
		return nil
	}
	sub.acks.add(d, held)
	return d
}

// judge decodes a message and returns how it is to be moved if it is not for
// the worker.
func (sub *subscription) judge(d *delivery) (move func()) {
	var err error
	c := d.from.source.class
	d.message, err = codec.Decode(d.raw, sub.consumer.queue)
	m, deaths := &d.message, codec.DeliveryCount(d.raw)
	m.Priority = c.priority(m.Priority)
	d.receipt = receipt{id: m.ID, task: m.Task, attempt: m.Attempt, enqueuedAt: m.EnqueuedAt.UnixMilli()}
	switch {
	case err != nil:
		sub.consumer.log.Error("message is malformed; moved to the dead letters", "id", m.ID, "task", m.Task, "err", err)
		return func() {
			sub.move(d, sub.failed(d, broker.FailureUndecodable, "the message is malformed: "+err.Error())...)
		}
	case deaths > 0 && sub.wasExecuted(d):
		sub.consumer.log.Debug("delivered again after a lost connection; was executed", "id", m.ID, "task", m.Task)
		return func() { sub.acks.settle(d) }
	case c == classQuarantine:
		// It may be this worker that has moved it here, and not acknowledged
		// the original yet. If it killed the worker now there would be two of it.
		if !sub.consumer.quarantining.await(m.ID, sub.ctx.Done(), sub.consumer.closing) {
			return func() {} // it stays unacknowledged
		}
		m.Attempt += max(0, deaths-1)
	case deaths > 0:
		if m.Attempt += deaths; m.Attempt >= m.Attempts {
			return func() { sub.quarantine(d) }
		}
	}
	if !m.NotBefore.IsZero() && time.Until(m.NotBefore) > 0 { // beyond the longest delay, or by another clock
		return func() { sub.move(d, sub.requeued(d, false)...) }
	}
	return nil
}

// wasExecuted reports whether a message that is delivered again was executed
// here. Where nothing says when it was enqueued, it may be another one like it.
func (sub *subscription) wasExecuted(d *delivery) bool {
	m := &d.message
	return !m.EnqueuedAt.IsZero() && sub.consumer.executed.has(d.receipt.of(d.body))
}

// fetch takes the messages that have arrived, all of them in their order, for the
// acker goes by their tags. So the first that cannot be taken is the end.
func (sub *subscription) fetch() {
	if sub.ctx.Err() != nil {
		return
	}
	var cancelled []string
	sub.received, cancelled = sub.ch.Take(sub.received)
	sub.cancelled = append(sub.cancelled, cancelled...)
	now := time.Now()
	for _, raw := range sub.received {
		from := sub.consumers[raw.Consumer]
		if from == nil {
			err := fmt.Errorf("RabbitMQ delivers to a consumer %q that does not exist", raw.Consumer)
			sub.cancelCtx(err)
			sub.session.End(err)
			return
		}
		if from == &sub.renewal.from {
			sub.renewed(raw)
			continue
		}
		if d := sub.accept(from, raw, now); d != nil {
			from.source.fetched = append(from.source.fetched, d)
		}
	}
}
