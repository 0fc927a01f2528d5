package rabbitmq

import (
	"fmt"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/codec"
	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/wire"
)

// fetch takes the messages that have arrived, each in its turn, for the acker
// counts their tags. If one cannot be taken, the subscription is over.
func (sub *subscription) fetch() {
	if sub.ctx.Err() != nil {
		return
	}
	var cancelled []string
	sub.received, cancelled = sub.ch.Take(sub.received)
	sub.cancelled = append(sub.cancelled, cancelled...)
	now := time.Now()
	for _, raw := range sub.received {
		from := sub.fetchers[raw.Consumer]
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
		if d := sub.receive(from, raw, now); d != nil {
			from.source.fetched = append(from.source.fetched, d)
		}
	}
}

// receive makes a delivery of a message that has arrived. It returns nil if the
// message is not for the worker, and moves it where it belongs.
func (sub *subscription) receive(from *fetcher, raw *wire.Delivery, now time.Time) *delivery {
	d := &delivery{sub: sub, from: from, raw: raw, body: raw.Body, since: now}
	from.received++
	from.source.arrived, from.source.silent = now, 0
	move := sub.judge(d, now)
	d.attempt = d.message.Attempt
	if move != nil {
		sub.acks.add(d, claimed)
		move()
		return nil
	}
	sub.acks.add(d, held)
	return d
}

// judge decodes a message. If it is not for the worker, judge returns what moves
// it where it belongs.
//
// It also decides what becomes of a message that may have killed its worker. Every
// death counts as an attempt, but RabbitMQ counts it for all messages that the
// worker had fetched, and most of these were not even running. So a message whose
// attempts have run out by deaths gets another chance in quarantine, from where it
// runs while nothing else does in its process (suspects.go). Even a death there may be
// another's fault, such as a lost connection, but the second one is not.
func (sub *subscription) judge(d *delivery, now time.Time) (move func()) {
	var err error
	c := d.from.source.class
	d.message, err = codec.Decode(d.raw, sub.consumer.queue)
	m, deaths := &d.message, codec.DeliveryCount(d.raw)
	m.Priority = sub.consumer.b.priorityOf(d.raw, c, m.Priority)
	d.receipt = receipt{id: m.ID, task: m.Task, attempt: m.Attempt, enqueuedAt: m.EnqueuedAt.UnixMilli()}
	switch {
	case d.raw.Discarded > 0:
		sub.consumer.log.Error("message is too large; RabbitMQ moves it to the dead letters", "id", m.ID, "task", m.Task, "err", err)
		return func() { sub.refuse(d, err) }
	case err != nil:
		sub.consumer.log.Error("message is malformed; moved to the dead letters", "id", m.ID, "task", m.Task, "err", err)
		return func() {
			sub.move(d, sub.failed(d, broker.FailureUndecodable, "the message is malformed: "+err.Error())...)
		}
	case deaths > 0 && sub.wasExecuted(d):
		sub.consumer.log.Debug("delivered again after a lost connection; was executed", "id", m.ID, "task", m.Task)
		return func() { sub.acks.settle(d) }
	case d.Cancelled():
		return nil // the worker does not run it, however many have died of it
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
	if p, ok := sub.consumer.b.controls.pauseOf(broker.PauseTask, m.Task); ok && c != classQuarantine {
		m.NotBefore = now.Add(p.PutOff(now))
		return func() { sub.move(d, sub.requeued(d, false)...) }
	}
	return nil
}

// priorityOf returns the priority of a message that says p and has arrived in a queue of
// class c.
func (b *Broker) priorityOf(d *wire.Delivery, c class, p broker.Priority) broker.Priority {
	if p = c.priority(p); c == classDue {
		delayed, _, _ := b.topology.delayedFor(d.Key)
		p = delayed.priority(p)
	}
	return p
}

// wasExecuted reports whether a message that is delivered again was executed
// here. Where nothing says when it was enqueued, it may be another one like it.
func (sub *subscription) wasExecuted(d *delivery) bool {
	m := &d.message
	if m.EnqueuedAt.IsZero() {
		return false
	}
	outcome, ok := sub.consumer.executed.has(d.receipt.of(d.body))
	if ok {
		d.outcome = d.unrecorded(broker.Settlement{Verdict: broker.Done, Outcome: outcome})
	}
	return ok
}
