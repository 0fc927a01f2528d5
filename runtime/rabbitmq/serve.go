package rabbitmq

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
)

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
		c.ledger.end(sub.acks, sub.acks.lost(false))
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

// serve merges the classes of a subscription into the deliveries. It returns when
// the consumer is stopped, with an error when the subscription is over, or with
// the subscription that is to take its place.
func (c *consumer) serve(sub *subscription) (next *subscription, err error) {
	second := time.NewTicker(time.Second)
	defer second.Stop()
	look := time.NewTimer(lookInterval)
	defer look.Stop()
	sub.looking = true
	c.current.Store(sub)
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
			err = sub.suspectCame()
			sub.grow()
			if !sub.looking {
				sub.looking = true
				look.Reset(lookInterval)
			}
		case now := <-look.C:
			if sub.looking, err = sub.look(now); sub.looking {
				look.Reset(lookInterval)
			}
		case now := <-second.C:
			sub.renew(now)
			judge, overdue = true, true
			if c.isPaused.Load() { // the time of the pause may be over
				signal(c.recheck)
			}
			var stuck bool
			if stuck, err = sub.calmDown(now); stuck {
				c.log.Warn("RabbitMQ sends nothing although messages are ready; subscribing again")
				return subscribe(sub.ctx, c, sub.session)
			}
		case err = <-sub.growing:
			sub.growing = nil
			sub.grow() // more was asked for meanwhile
		case <-c.recheck:
			err = sub.pauseOrResume()
		case <-sub.ctx.Done():
			return nil, context.Cause(sub.ctx)
		case <-c.ctx.Done():
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		if judge && sub.active && sub.growing == nil && c.pace.adapt(time.Now, overdue) {
			sub.acks.expect(c.pace.concurrency + c.pace.ahead)
			sub.grow()
		}
	}
}

// afterCancel returns the subscription to go on with after RabbitMQ has
// cancelled fetchers: a queue was deleted, or, with RabbitMQ 4.3, a message was
// not acknowledged in time. It is a new one, for the channel may be left with
// fetchers of queues that no longer exist. Messages that are being handled stay
// with the old one.
func (c *consumer) afterCancel(sub *subscription, tags []string) (*subscription, error) {
	c.log.Error("RabbitMQ has cancelled the consumption of a queue, which may have been deleted, or a message was not acknowledged within its consumer_timeout; declaring the queue again")
	for _, tag := range tags {
		// RabbitMQ 4.3 keeps the fetcher whose message was late, and sends to it
		// again once that message is acknowledged.
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

// subscribe returns a subscription on an open session. It tries until ctx ends.
// failed is the session of the previous subscription, or nil if this is the first
// one: then an error that will not go away by itself is final. Later it is waited
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
			c.log.Error("queue cannot be consumed; trying again", "err", err)
		}
		failed = s
		if !sleep(ctx, backoff(attempt)) {
			return nil, fmt.Errorf("%w: %w", ctx.Err(), err)
		}
	}
}

// session returns an open session: failed itself, if it has lost only a channel.
func (c *consumer) session(ctx context.Context, failed *session) (*session, error) {
	s, err := c.b.consuming.session(ctx)
	if err == nil && s == failed && isClosed(s.Done()) {
		return c.b.consuming.next(ctx, s)
	}
	return s, err
}
