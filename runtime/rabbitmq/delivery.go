package rabbitmq

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/results"
	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/wire"
)

// A delivery is a message in the hands of a worker.
type delivery struct {
	sub     *subscription
	from    *fetcher
	message broker.Message

	// As they came; the worker may change those of message.
	attempt int
	body    []byte
	receipt receipt // but for the hash of the body

	outcome broker.Unrecorded // once the worker has settled; the acker guards it
	over    atomic.Bool       // settled

	// The acker guards these, for a copy may take the place of the original.
	raw      *wire.Delivery
	since    time.Time // when it came
	renewing bool      // a copy is on its way
	again    time.Time // when to try again to renew it
}

// Message implements broker.Delivery.
func (d *delivery) Message() *broker.Message { return &d.message }

// Cancelled implements broker.Delivery.
func (d *delivery) Cancelled() bool { return d.sub.consumer.b.controls.isCancelled(d.receipt.id) }

// Settle implements broker.Delivery.
func (d *delivery) Settle(s broker.Settlement) {
	if d.over.Swap(true) {
		return
	}
	d.sub.consumer.pace.running.Add(-1)
	switch sub := d.sub; {
	case (s.Verdict == broker.Done || s.Verdict == broker.Cancelled) && d.message.Keep == 0 && len(s.Then) == 0:
		// Nothing is to be published.
		f := finished{d.receipt.of(d.body), s.Outcome}
		if !sub.acks.finish(d, f) {
			sub.consumer.executed.add(f)
			sub.consumer.ledger.late(d.unrecorded(s))
		}
	case broker.Done <= s.Verdict && s.Verdict <= broker.Cancelled:
		if !sub.acks.claim(d, func() {
			d.outcome = d.unrecorded(s)
			sub.settle(d, s)
		}) {
			sub.consumer.ledger.late(d.unrecorded(s))
		}
	}
}

// settle publishes all that an outcome asks for, and acknowledges the delivery
// once that is confirmed: first what follows from it, for if that does not come
// about the task is to run again.
func (sub *subscription) settle(d *delivery, s broker.Settlement) {
	then, err := sub.consumer.b.following(s.Then)
	if err != nil {
		sub.move(d, sub.withoutThen(d, err)...)
		return
	}
	place := sub.placeOf(d, s)
	sub.moving.Go(func() {
		sub.awaitQuiet()
		switch err := sub.storeAll(then); {
		case errors.Is(err, broker.ErrTooLarge):
			place = sub.withoutThen(d, err)
		case err != nil:
			return // RabbitMQ delivers the message again
		}
		sub.replace(d, place)
	})
}

// placeOf returns what takes the place of a delivery by its verdict.
func (sub *subscription) placeOf(d *delivery, s broker.Settlement) []*publication {
	switch {
	case s.Verdict == broker.Requeue:
		return sub.requeued(d, true)
	case s.Verdict == broker.Dead:
		return sub.dead(d)
	case s.Verdict == broker.Cancelled && d.message.Keep > 0:
		return []*publication{sub.consumer.b.record(results.Cancelled(&d.message))}
	case d.message.Keep > 0:
		return []*publication{sub.consumer.b.record(results.Done(&d.message, s.Result))}
	}
	return nil
}

// withoutThen returns a message on its way to the dead letters because what
// follows from its outcome can never be enqueued. Run again it would come to the
// same.
func (sub *subscription) withoutThen(d *delivery, err error) []*publication {
	sub.consumer.log.Error("what follows from a task cannot be enqueued; its message goes to the dead letters",
		"id", d.message.ID, "task", d.message.Task, "err", err)
	return sub.failed(d, broker.FailureError, "what follows from the task cannot be enqueued: "+err.Error())
}

// following returns the admissions of messages that follow from an outcome. If
// the outcome is lost, the task runs again and they are enqueued again, under the
// same ids.
func (b *Broker) following(ms []*broker.Message) ([]admission, error) {
	as := make([]admission, len(ms))
	for i, m := range ms {
		var err error
		if as[i], err = b.repeatableAdmission(m); err != nil {
			return nil, fmt.Errorf("message %s: %w", m.ID, err)
		}
	}
	return as, nil
}
