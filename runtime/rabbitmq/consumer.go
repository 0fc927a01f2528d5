package rabbitmq

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// A consumer delivers the messages of one queue: it subscribes on one session
// after the other, and merges the classes of the queue.
type consumer struct {
	b           *Broker
	queue       string
	log         *slog.Logger // names the queue
	concurrency int
	out         chan broker.Delivery
	recheck     chan struct{} // the queue may have been paused or resumed
	pace        pace

	quarantining moves          // into the quarantine
	executed     executed       // on connections that were lost
	finishing    sync.WaitGroup // subscriptions that were replaced

	ctx  context.Context // ends with Stop
	stop context.CancelFunc

	closeOnce sync.Once
	closing   chan struct{} // closed by Close
	hurry     context.Context
	giveUp    context.CancelFunc // the context of Close has ended
	ended     chan struct{}      // closed when run has ended
	err       error              // valid once ended is closed
}

// Consume implements broker.Broker.
func (b *Broker) Consume(ctx context.Context, o broker.ConsumeOptions) (broker.Consumer, error) {
	c := &consumer{
		b:           b,
		queue:       o.Queue,
		log:         cmp.Or(o.Logger, b.log).With("queue", o.Queue),
		concurrency: o.Concurrency,
		out:         make(chan broker.Delivery),
		recheck:     make(chan struct{}, 1),
		pace:        newPace(o.Concurrency, time.Now()),
		closing:     make(chan struct{}),
		ended:       make(chan struct{}),
	}
	c.ctx, c.stop = context.WithCancel(context.Background())
	c.hurry, c.giveUp = context.WithCancel(context.Background())
	if err := b.consuming.start(ctx); err != nil {
		return nil, err
	}
	b.addConsumer(c) // before it looks whether the queue is paused
	sub, err := c.subscribe(ctx, nil)
	if err != nil {
		b.removeConsumer(c)
		return nil, err
	}
	go c.run(sub)
	return c, nil
}

// Deliveries implements broker.Consumer.
func (c *consumer) Deliveries() <-chan broker.Delivery { return c.out }

// giveUpTime is what Close may take beyond its context: nothing, if RabbitMQ
// answers.
const giveUpTime = 500 * time.Millisecond

// Stop implements broker.Consumer.
func (c *consumer) Stop() { c.stop() }

// Close implements broker.Consumer.
func (c *consumer) Close(ctx context.Context) error {
	c.stop()
	c.closeOnce.Do(func() { close(c.closing) })
	select {
	case <-c.ended:
		return c.err
	case <-ctx.Done():
	}
	c.giveUp()
	select {
	case <-c.ended:
	case <-time.After(giveUpTime): // RabbitMQ does not answer; the connection will end
	}
	return fmt.Errorf("closed with settlements under way: %w", ctx.Err())
}

// run delivers until the consumer is stopped, and settles until it is closed.
func (c *consumer) run(sub *subscription) {
	defer close(c.ended)
	defer c.b.removeConsumer(c)
	for {
		next, err := c.serve(sub)
		if next != nil {
			c.replace(sub, next)
			sub = next
			continue
		}
		if c.ctx.Err() != nil {
			break
		}
		session := sub.session
		sub.abandon()
		c.executed.add(sub.acks.doubtful()...)
		if !isClosed(session.Done()) {
			c.log.Warn("consumer interrupted; subscribing again", "err", err)
		}
		if sub, err = c.subscribe(c.ctx, session); err != nil {
			if c.ctx.Err() == nil && !errors.Is(err, broker.ErrClosed) {
				c.log.Error("consumer ended", "err", err)
			}
			break
		}
	}
	close(c.out)
	if sub != nil {
		sub.quiesce() // its error is that of the channel, whose deliveries come again
		c.err = c.finish(sub)
	}
	c.finishing.Wait()
}

// replace goes on with another subscription. What the old one has delivered can
// still be settled.
func (c *consumer) replace(old, next *subscription) {
	for i := range old.sources {
		next.sources[i].fetched = append(old.sources[i].fetched, next.sources[i].fetched...)
		old.sources[i].fetched = nil
	}
	signal(c.recheck) // the old one may have heard of a pause meanwhile
	c.finishing.Go(func() {
		old.quiesce()
		c.finish(old)
	})
}

// finish closes a subscription that consumes no more, once all it has fetched
// is settled, or the consumer is closed.
func (c *consumer) finish(sub *subscription) error {
	idle := sub.acks.idle()
	second := time.NewTicker(time.Second)
	defer second.Stop()
	for waiting := true; waiting; {
		select {
		case now := <-second.C:
			sub.renew(now)
		case <-sub.ch.Arrived():
			sub.fetch() // copies, and what came too late
			sub.handBackFetched(0)
		case <-idle:
			waiting = false
		case <-c.closing:
			waiting = false
		case <-sub.ctx.Done(): // nothing can be settled any more
			waiting = false
		}
	}
	return sub.close(c.hurry)
}

// subscribe returns a subscription on an open session. It tries until ctx
// ends. An error that will not go away by itself is final at first, when
// failed, the session of the previous subscription, is nil; later it is waited
// out.
func (c *consumer) subscribe(ctx context.Context, failed *session) (*subscription, error) {
	first := failed == nil
	for attempt := 0; ; attempt++ {
		s, err := c.session(ctx, failed)
		if err != nil {
			return nil, err
		}
		sub, err := subscribe(ctx, c, s)
		if err == nil {
			return sub, nil
		}
		if ctx.Err() != nil {
			return nil, fmt.Errorf("%w: %w", ctx.Err(), err)
		}
		if isPermanent(err) {
			if first {
				return nil, err
			}
			c.log.Error("queue cannot be consumed; trying on", "err", err)
		}
		failed = s
		if !sleep(ctx, backoff(attempt)) {
			return nil, fmt.Errorf("%w: %w", ctx.Err(), err)
		}
	}
}

// session returns an open session: failed itself if only a channel of it did.
func (c *consumer) session(ctx context.Context, failed *session) (*session, error) {
	s, err := c.b.consuming.session(ctx)
	if err == nil && s == failed && isClosed(s.Done()) {
		return c.b.consuming.next(ctx, s)
	}
	return s, err
}

// serve merges the classes of a subscription into the deliveries, until the
// consumer is stopped, or the subscription interrupted for the reason
// returned, or another one is to take its place.
func (c *consumer) serve(sub *subscription) (next *subscription, err error) {
	second := time.NewTicker(time.Second)
	defer second.Stop()
	for {
		var out chan<- broker.Delivery
		var d *delivery
		i := sub.pick()
		if i >= 0 {
			out, d = c.out, sub.sources[i].fetched[0]
			if d.sub.ctx.Err() != nil { // void: its channel is lost
				sub.picked(i)
				continue
			}
		}
		judge, overdue := false, false
		select {
		case out <- d:
			sub.picked(i)
			judge = true
		case <-sub.ch.Arrived():
			sub.fetch()
			if len(sub.cancelled) > 0 {
				return c.afterCancel(sub, sub.cancelled)
			}
		case now := <-second.C:
			sub.renew(now)
			judge, overdue = true, true
		case err = <-sub.growing:
			sub.growing = nil
		case <-c.recheck:
			err = sub.pauseOrResume(sub.ctx, c.pace.prefetch)
		case <-sub.ctx.Done():
			return nil, context.Cause(sub.ctx)
		case <-c.ctx.Done():
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		if judge && sub.active && sub.growing == nil && c.pace.adapt(time.Now, overdue) {
			if err := sub.adapt(c.pace.prefetch); err != nil {
				return nil, err
			}
		}
	}
}

// afterCancel returns the subscription to go on with after RabbitMQ has
// cancelled consumers: a queue was deleted, or, with RabbitMQ 4.3, a message was
// not acknowledged in time. It is a new one, for the channel may be left with
// consumers of queues that are no more; what is being handled is not concerned.
func (c *consumer) afterCancel(sub *subscription, tags []string) (*subscription, error) {
	c.log.Error("RabbitMQ has cancelled the consumption of a queue, which may have been deleted, or a message was not acknowledged within its consumer_timeout; declaring the queue again")
	for _, tag := range tags {
		// RabbitMQ 4.3 keeps the consumer whose message was late, and sends to it
		// again once that is acknowledged all the same.
		if err := sub.ch.Cancel(tag); err != nil {
			return nil, err
		}
	}
	sub.lost(tags)
	if !sleep(c.ctx, minBackoff) { // more may be about to be deleted
		return nil, nil
	}
	c.b.topology.forget()
	return subscribe(sub.ctx, c, sub.session)
}

func (b *Broker) addConsumer(c *consumer) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.consumers[c] = struct{}{}
}

func (b *Broker) removeConsumer(c *consumer) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.consumers, c)
}
