package rabbitmq

import (
	"context"
	"crypto/rand"
	"errors"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/codec"
	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/wire"
)

// RabbitMQ closes a channel on which a message is not acknowledged in time
// (consumer_timeout, half an hour by default), and delivers all that was on it
// again, although their worker is alive and at work. So a message that is held
// for a third of that time is replaced by a copy.
//
// The copy goes to a queue of the subscription's own, from where it comes back
// to the same channel; then the original is acknowledged. If the worker dies, the
// copy expires in that queue, and RabbitMQ moves it to the work queue. RabbitMQ
// does not know there that it was delivered before, so the copy carries the number
// of the next attempt from the beginning.

const (
	// renewTag is the tag of the fetcher that receives the copies. The header
	// HeaderRenewed of a copy says of which original it is.
	renewTag = "renewed"

	// copyExpires is the greatest age of a copy that nobody holds. renewedExpires
	// is how long the queue of copies stays when nobody uses it: much longer than
	// RabbitMQ takes to move them.
	copyExpires    = 30 * time.Second
	renewedExpires = 24 * time.Hour
)

// A renewal is what a subscription needs to renew messages. The zero value is
// one that has not begun.
type renewal struct {
	queue string  // empty until the first message is renewed
	from  fetcher // the consumer of copies

	starting sync.Mutex
	started  bool // the queue is consumed

	mu     sync.Mutex
	copies map[string]*delivery // on their way, by the value of codec.HeaderRenewed
}

// add notes that a copy of d is on its way.
func (r *renewal) add(name string, d *delivery) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.copies[name] = d
}

// landed notes that a copy is no longer on its way, and returns its original, or
// nil if there is none.
func (r *renewal) landed(name string) *delivery {
	r.mu.Lock()
	defer r.mu.Unlock()
	d := r.copies[name]
	delete(r.copies, name)
	return d
}

// awaits reports whether copies are on their way.
func (r *renewal) awaits() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.copies) > 0
}

// renew replaces the messages that have been held for long by now.
func (sub *subscription) renew(now time.Time) {
	timeout := sub.consumer.b.config.consumerTimeout
	old := sub.acks.toRenew(now.Add(-timeout/3), now)
	if len(old) == 0 {
		return
	}
	r := &sub.renewal
	if r.queue == "" {
		r.queue = sub.consumer.b.topology.renewed(rand.Text())
		r.copies = make(map[string]*delivery)
		sub.fetchers[renewTag] = &r.from
	}
	for _, d := range old {
		name := rand.Text()
		r.add(name, d)
		var h wire.Builder
		h.Text(codec.HeaderRenewed, name)
		h.Int(codec.HeaderAttempt, int64(d.attempt)+1)
		p := &publication{message: codec.Forward(d.raw, h.Table()), queue: sub.consumer.queue, class: classRenewed, name: r.queue}
		sub.moving.Go(func() {
			if err := sub.sendCopy(p); err != nil && sub.ctx.Err() == nil {
				sub.consumer.log.Error("the message of a task that runs for long cannot be renewed; trying again", "id", p.message.MessageID, "err", err)
				r.landed(name)
				sub.acks.renewAgain(d, time.Now().Add(timeout/30))
			}
		})
	}
}

// sendCopy publishes a copy.
func (sub *subscription) sendCopy(p *publication) error {
	err := sub.startRenewing(p.name)
	if err != nil {
		return err
	}
	if err = sub.consumer.b.publish(sub.ctx, p); errors.Is(err, broker.ErrUnroutable) {
		r := &sub.renewal
		r.starting.Lock()
		defer r.starting.Unlock()
		r.started = false // somebody has deleted the queue
	}
	return err
}

// startRenewing declares and consumes the queue of copies, unless that was done
// before.
func (sub *subscription) startRenewing(queue string) error {
	r := &sub.renewal
	r.starting.Lock()
	defer r.starting.Unlock()
	if r.started {
		return nil
	}
	t := sub.consumer.b.topology
	if err := t.declare(sub.ctx, sub.session, func(ch *amqp.Channel) error {
		return declareQueue(ch, queue, amqp.Table{
			amqp.QueueTypeArg:           amqp.QueueTypeQuorum,
			amqp.QueueMessageTTLArg:     min(copyExpires, sub.consumer.b.config.consumerTimeout).Milliseconds(),
			amqp.QueueTTLArg:            renewedExpires.Milliseconds(),
			amqp.QueueOverflowArg:       amqp.QueueOverflowRejectPublish,
			"x-delivery-limit":          int64(unlimited),
			"x-dead-letter-exchange":    "",
			"x-dead-letter-routing-key": t.queue(classDefault, sub.consumer.queue),
			"x-dead-letter-strategy":    "at-least-once",
		})
	}); err != nil {
		return err
	}
	const unbounded = 0
	err := sub.ch.Consume(queue, renewTag, unbounded, "")
	r.started = err == nil
	return err
}

// renewed puts a copy that has come back in the place of its original.
func (sub *subscription) renewed(raw *wire.Delivery) {
	r := &sub.renewal
	v, _ := raw.Headers.Get(codec.HeaderRenewed)
	name, _ := v.Text()
	d := r.landed(name) // nil for one that was published twice
	sub.acks.renew(d, &delivery{sub: sub, from: &r.from, raw: raw, since: time.Now()})
}

// endRenewing waits for the copies that are on their way, and deletes their
// queue if nothing is left in it.
func (sub *subscription) endRenewing(ctx context.Context) {
	r := &sub.renewal
	if r.queue == "" {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, cancelWait)
	defer cancel()
	for r.awaits() {
		select {
		case <-sub.ch.Arrived():
			sub.fetch()
		case <-sub.ch.Done():
			return
		case <-ctx.Done():
			return
		}
	}
	sub.acks.flush(true)
	sub.settleDown(ctx)
	if sub.acks.empty() {
		sub.consumer.b.topology.declare(ctx, sub.session, func(ch *amqp.Channel) error {
			_, err := ch.QueueDelete(r.queue, false, false, false)
			return err
		})
	}
}
