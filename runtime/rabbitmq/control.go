package rabbitmq

import (
	"cmp"
	"context"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/wire"
)

// tell tells all workers to look at the marker of a queue. It does so through
// the connection for publishing, for RabbitMQ blocks the one through which it is
// told something while there is an alarm.
func (b *Broker) tell(ctx context.Context, queue string) error {
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
	c, err := ch.Publish(b.topology.control(), "", &wire.Properties{ContentType: "text/plain"}, []byte(queue))
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

// listen prepares a session for consuming: the consumers on it hear of changes.
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
	go b.follow(ch)
	return nil
}

// controlPrefetch is how many words of changes RabbitMQ sends ahead.
const controlPrefetch = 100

// follow has the consumers look whenever a queue has changed, until the channel
// is over.
func (b *Broker) follow(ch *wire.Channel) {
	for {
		ds, err := ch.Wait(context.Background())
		if err != nil {
			return
		}
		for _, d := range ds {
			b.look(string(d.Body))
		}
		ch.Ack(ds[len(ds)-1].Tag, true)
	}
}

// look has the consumers of a queue look whether it is paused.
func (b *Broker) look(queue string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for c := range b.consumers {
		if c.queue == queue {
			signal(c.recheck)
		}
	}
}
