package rabbitmq

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/codec"
	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/results"
	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/wire"
)

// move publishes what takes the place of a delivery, and acknowledges it once
// that is confirmed. In between a fault can double it, but not lose it.
func (sub *subscription) move(d *delivery, ps ...*publication) {
	sub.moving.Go(func() {
		sub.awaitQuiet()
		sub.replace(d, ps)
	})
}

// replace does what move does, and returns when it is done.
func (sub *subscription) replace(d *delivery, ps []*publication) {
	for _, p := range ps {
		if !sub.store(d, p) {
			return
		}
	}
	sub.acks.settle(d)
}

// store publishes until that is confirmed. It returns false if that cannot be:
// RabbitMQ delivers the message again, or has it moved to the dead letters.
func (sub *subscription) store(d *delivery, p *publication) bool {
	id := p.message.MessageID
	err := sub.persist(id, func() error {
		if err := sub.consumer.b.clerk.cover(sub.ctx, p); err != nil {
			return err
		}
		return sub.consumer.b.publish(sub.ctx, p)
	})
	if errors.Is(err, broker.ErrTooLarge) {
		sub.consumer.log.Error("message cannot be published again; RabbitMQ moves it to the dead letters as it is", "id", id, "err", err)
		sub.acks.reject(d)
	}
	return err == nil
}

// storeAll is store for messages that follow from an outcome. Its error wraps
// broker.ErrTooLarge, or the subscription is over.
func (sub *subscription) storeAll(as []admission) error {
	if len(as) == 0 {
		return nil
	}
	return sub.persist(as[0].message.message.MessageID, func() (failed error) {
		errs := sub.admitAll(as)
		left := as[:0]
		for i, err := range errs {
			if err == nil {
				continue
			}
			left = append(left, as[i])
			if failed == nil || errors.Is(err, broker.ErrTooLarge) {
				failed = fmt.Errorf("message %s: %w", as[i].message.message.MessageID, err)
			}
		}
		as = left
		return failed
	})
}

// fewFollow is how many messages may follow from an outcome without being a
// batch: only one batch is published at a time, and other outcomes would wait.
const fewFollow = 16

// admitAll publishes admissions once, and returns their errors.
func (sub *subscription) admitAll(as []admission) []error {
	errs := make([]error, len(as))
	if len(as) > fewFollow {
		sub.consumer.b.admitMany(sub.ctx, as, errs)
		return errs
	}
	var all sync.WaitGroup
	for i, a := range as[1:] {
		all.Go(func() { errs[i+1] = sub.consumer.b.admit(sub.ctx, a) })
	}
	errs[0] = sub.consumer.b.admit(sub.ctx, as[0])
	all.Wait()
	return errs
}

// persist calls publish until it succeeds. It gives up with the subscription,
// and if a message is too large: no repetition helps.
func (sub *subscription) persist(id string, publish func() error) error {
	for attempt := 0; ; attempt++ {
		err := publish()
		if err == nil || sub.ctx.Err() != nil || errors.Is(err, broker.ErrTooLarge) {
			return err
		}
		sub.consumer.log.Error("message cannot be published; trying again", "id", id, "err", err)
		if !sleep(sub.ctx, backoff(attempt)) {
			return err
		}
	}
}

// refuse has RabbitMQ move a message to the dead letters as it is: its body is not
// in memory.
func (sub *subscription) refuse(d *delivery, why error) {
	sub.moving.Go(func() {
		if d.message.Keep > 0 {
			failure := broker.Failure{Attempt: d.message.Attempt, At: time.Now(), Kind: broker.FailureUndecodable, Error: why.Error()}
			if !sub.store(d, sub.consumer.b.record(results.Dead(&d.message, []broker.Failure{failure}))) {
				return
			}
		}
		sub.acks.reject(d)
	})
}

// handedBack returns a message on its way to the queue it came from, as it came,
// except for the deaths that RabbitMQ has counted: publishing anew resets them.
// A negative acknowledgement would do with one frame, but RabbitMQ before 4.3
// counts it like a death.
func (sub *subscription) handedBack(d *delivery) *publication {
	var h wire.Builder
	h.Int(codec.HeaderAttempt, int64(d.attempt))
	if d.from.source.class == classDue { // its routing key gets lost
		h.Int(codec.HeaderPriority, int64(d.message.Priority))
	}
	return sub.publicationTo(d.from.source.class, codec.Forward(d.raw, h.Table()))
}

// requeued returns a message on its way back, as the worker has left it. Its
// delay may be rough.
func (sub *subscription) requeued(d *delivery, rough bool) []*publication {
	p, err := sub.consumer.b.publication(&d.message)
	if err != nil {
		return sub.failed(d, broker.FailureError, "the message cannot be stored: "+err.Error())
	}
	p.rough = rough
	return []*publication{p}
}

// dead returns a message on its way to the dead letters, as the worker has left
// it.
func (sub *subscription) dead(d *delivery) []*publication {
	p, err := codec.Encode(&d.message)
	if err != nil {
		return sub.failed(d, broker.FailureError, "the message cannot be stored: "+err.Error())
	}
	return sub.deadAs(d, p, d.message.Failures)
}

// failed returns a message on its way to the dead letters as it came, but with
// one failure more.
func (sub *subscription) failed(d *delivery, kind, reason string) []*publication {
	fs := append(d.message.Failures, broker.Failure{Attempt: d.message.Attempt, At: time.Now(), Kind: kind, Error: reason})
	var h wire.Builder
	h.Text(codec.HeaderFailures, codec.EncodeFailures(fs))
	return sub.deadAs(d, codec.Forward(d.raw, h.Table()), fs)
}

// deadAs returns a dead letter in the given form, and the record of it if the
// outcome is to be kept.
func (sub *subscription) deadAs(d *delivery, p codec.Envelope, failures []broker.Failure) []*publication {
	ps := []*publication{sub.publicationTo(classDead, p)}
	if d.message.Keep > 0 {
		ps = append(ps, sub.consumer.b.record(results.Dead(&d.message, failures)))
	}
	return ps
}

func (sub *subscription) publicationTo(c class, m codec.Envelope) *publication {
	q := sub.consumer.queue
	return &publication{message: m, queue: q, class: c, name: sub.consumer.b.topology.queue(c, q)}
}

// giveBack hands a delivery back, unless it is settled or given up.
func (sub *subscription) giveBack(d *delivery) {
	sub.acks.claim(d, func() { sub.move(d, sub.handedBack(d)) })
}
