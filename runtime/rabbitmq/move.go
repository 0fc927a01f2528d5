package rabbitmq

import (
	"errors"
	"log/slog"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/wire"
)

// bury moves a message as it is to the dead letters, with a reason.
func (sub *subscription) bury(d *delivery, reason string) {
	fs := append(d.message.Failures, broker.Failure{Attempt: d.message.Attempt, At: time.Now(), Error: reason})
	var h wire.Builder
	h.Text(headerFailures, encodeFailures(fs, maxFailures))
	sub.moveDead(d, forward(d.raw, h.Table()), fs)
}

// handBack returns a message to the queue it came from, as it came, except for
// the deaths that RabbitMQ has counted: publishing anew resets them. A negative
// acknowledgement would do with one frame, but RabbitMQ before 4.3 counts it
// like a death.
func (sub *subscription) handBack(d *delivery) {
	var h wire.Builder
	h.Int(headerAttempt, int64(d.attempt))
	sub.move(d, sub.publicationTo(d.from.source.class, forward(d.raw, h.Table())))
}

// requeue stores a message as the worker has left it.
// Its delay may be rough.
func (sub *subscription) requeue(d *delivery, rough bool) {
	p, err := sub.consumer.b.publication(&d.message)
	if err != nil {
		sub.bury(d, "the message cannot be stored: "+err.Error())
		return
	}
	p.rough = rough
	sub.move(d, p)
}

// buryChanged moves a message to the dead letters as the worker has left it.
func (sub *subscription) buryChanged(d *delivery) {
	p, err := encode(&d.message)
	if err != nil {
		sub.bury(d, "the message cannot be stored: "+err.Error())
		return
	}
	sub.moveDead(d, p, d.message.Failures)
}

// moveDead moves a message to the dead letters in the given form, and records
// that if its outcome is to be kept.
func (sub *subscription) moveDead(d *delivery, p envelope, failures []broker.Failure) {
	ps := []*publication{sub.publicationTo(classDead, p)}
	if d.message.Keep > 0 {
		ps = append(ps, sub.consumer.b.deadRecord(&d.message, failures))
	}
	sub.move(d, ps...)
}

func (sub *subscription) publicationTo(c class, m envelope) *publication {
	q := sub.consumer.queue
	return &publication{message: m, queue: q, class: c, name: sub.consumer.b.topology.queue(c, q)}
}

// move publishes what is to take the place of a delivery, and acknowledges it
// once that is confirmed. In between a fault can double it, but not lose it.
func (sub *subscription) move(d *delivery, ps ...*publication) {
	sub.moving.Go(func() {
		sub.awaitQuiet()
		for _, p := range ps {
			if !sub.store(d, p) {
				return
			}
		}
		sub.acks.settle(d)
	})
}

// store publishes until that is confirmed. It returns false if that cannot be:
// RabbitMQ delivers the message again, or has it moved to the dead letters.
func (sub *subscription) store(d *delivery, p *publication) bool {
	for attempt := 0; ; attempt++ {
		err := sub.consumer.b.publish(sub.ctx, p)
		switch {
		case err == nil:
			return true
		case sub.ctx.Err() != nil:
			return false
		case errors.Is(err, broker.ErrTooLarge):
			slog.Error("message cannot be published again; RabbitMQ moves it to the dead letters as it is",
				"queue", sub.consumer.queue, "id", p.message.MessageID, "err", err)
			sub.acks.reject(d)
			return false
		}
		slog.Error("message cannot be published; trying on", "queue", sub.consumer.queue, "id", p.message.MessageID, "err", err)
		if !sleep(sub.ctx, backoff(attempt)) {
			return false
		}
	}
}

// giveBack hands a delivery back, unless it is settled or given up.
func (sub *subscription) giveBack(d *delivery) { sub.acks.take(d, func() { sub.handBack(d) }) }
