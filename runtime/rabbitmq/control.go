package rabbitmq

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/wire"
)

// A word is what all workers are told: of its fields one has a value.
type word struct {
	Pause     *broker.Pause `json:"pause,omitempty"`
	Resume    *broker.Pause `json:"resume,omitempty"` // of which the name counts
	Cancelled *cancelEntry  `json:"cancelled,omitempty"`
	Order     *broker.Order `json:"order,omitempty"`
	Process   string        `json:"process,omitempty"` // whom the order is for
}

// tell passes a word on to all workers. It does so through the connection for
// publishing, for RabbitMQ blocks the one through which it is told something while
// there is an alarm.
func (b *Broker) tell(ctx context.Context, w word) error {
	body, err := json.Marshal(w)
	if err != nil {
		return err
	}
	s, err := b.publishing.session(ctx)
	if err != nil {
		return err
	}
	if err := s.pub.ready(ctx, 0); err != nil {
		return err
	}
	defer s.pub.release(0)
	ch, err := s.Publisher(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { go ch.Close() }() // which takes an alarm, if there is one
	if err := b.topology.ensureControl(ctx, s); err != nil {
		return err
	}
	c, err := ch.Publish(b.topology.control(), "", &wire.Properties{ContentType: "application/json"}, body)
	if err != nil {
		return err
	}
	switch c.Wait(ctx) {
	case wire.Confirmed, wire.Unroutable: // in the latter case there is no worker
		return nil
	}
	return cmp.Or(ctx.Err(), broker.ErrUnknownOutcome)
}

// declareControl declares the exchange through which all workers are told.
func (t *topology) declareControl(ch *amqp.Channel) error {
	exchange := t.control()
	if err := ch.ExchangeDeclare(exchange, amqp.ExchangeFanout, true, false, false, false, nil); err != nil {
		return declareError("exchange", exchange, err)
	}
	return nil
}

// ensureControl declares the exchange, unless that was done before: to publish to one
// that is not there ends the channel.
func (t *topology) ensureControl(ctx context.Context, s *session) error {
	if _, ok := t.known.Load(t.control()); ok {
		return nil
	}
	err := t.declare(ctx, s, t.declareControl)
	if err == nil {
		t.known.Store(t.control(), struct{}{})
	}
	return err
}

// listen prepares a session for consuming: it knows what is paused and cancelled, and
// the consumers on it hear of changes.
func (b *Broker) listen(ctx context.Context, s *session) error {
	var queue string
	if err := s.Declare(ctx, func(ch *amqp.Channel) error {
		if err := b.topology.declareControl(ch); err != nil {
			return err
		}
		q, err := ch.QueueDeclare("", false, true, true, false, nil)
		if err != nil {
			return declareError("queue", "of control messages", err)
		}
		queue = q.Name
		if err := ch.QueueBind(q.Name, "", b.topology.control(), false, nil); err != nil {
			return declareError("binding of queue", q.Name, err)
		}
		return nil
	}); err != nil {
		return err
	}
	ch, err := s.Channel(ctx)
	if err != nil {
		return err
	}
	if err := ch.Consume(queue, "control", controlPrefetch, ""); err != nil {
		return err
	}
	// What changes from now on is heard of.
	if err := b.readControls(ctx, s); err != nil {
		return fmt.Errorf("read what is paused and cancelled: %w", err)
	}
	go b.follow(ch)
	return nil
}

// controlPrefetch is how many words of changes RabbitMQ sends ahead.
const controlPrefetch = 100

// follow hears the words, until the channel is over.
func (b *Broker) follow(ch *wire.Channel) {
	for {
		ds, err := ch.Wait(context.Background())
		if err != nil {
			return
		}
		for _, d := range ds {
			var w word
			if json.Unmarshal(d.Body, &w) == nil {
				b.hear(w)
			}
		}
		ch.Ack(ds[len(ds)-1].Tag, true)
	}
}

// hear takes note of a word.
func (b *Broker) hear(w word) {
	switch {
	case w.Pause != nil:
		b.controls.pause(*w.Pause)
		b.look(*w.Pause)
	case w.Resume != nil:
		b.controls.resume(w.Resume.What, w.Resume.Name)
		b.look(*w.Resume)
	case w.Cancelled != nil:
		if news := b.controls.cancel(*w.Cancelled); len(news) > 0 {
			b.tellWorkers(news)
		}
	case w.Order != nil:
		b.listeners.Pass(w.Process, orderNumbers.Add(1), *w.Order)
	}
}

// look has the consumers of a queue look whether it is paused.
func (b *Broker) look(p broker.Pause) {
	for _, c := range b.consumersNow() {
		if p.What == broker.PauseQueue && p.Name == c.queue {
			signal(c.recheck)
		}
	}
}

// tellWorkers tells the workers of messages that were cancelled.
func (b *Broker) tellWorkers(ids []string) {
	for _, c := range b.consumersNow() {
		for _, id := range ids {
			if c.tell != nil {
				c.tell(id)
			}
		}
	}
}
