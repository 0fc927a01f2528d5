package rabbitmq

import (
	"cmp"
	"context"
	"fmt"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/dtaskhq/dtask/runtime/dtask"
	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/frame"
)

// A queue is paused while a queue of another name, its marker, exists.
// Consumers look for the marker when they subscribe and when they are told of
// a change, which they are through a fanout exchange. The word of a change may
// get lost with a connection: then the consumer subscribes anew, and looks.

// Pause implements dtask.Inspector.
func (b *Broker) Pause(ctx context.Context, queue string) error {
	if err := dtask.ValidateQueue(queue); err != nil {
		return err
	}
	return b.mark(ctx, queue, func(s *session, ch *amqp.Channel) error {
		if err := b.topology.ensure(ctx, s, classDefault, queue, -1); err != nil {
			return err
		}
		return declareQueue(ch, b.topology.paused(queue), amqp.Table{amqp.QueueTypeArg: amqp.QueueTypeQuorum})
	})
}

// Resume implements dtask.Inspector.
func (b *Broker) Resume(ctx context.Context, queue string) error {
	return b.mark(ctx, queue, func(_ *session, ch *amqp.Channel) error {
		_, err := ch.QueueDelete(b.topology.paused(queue), false, false, false)
		return err
	})
}

// mark changes the marker of a queue, and tells all workers to look at it.
func (b *Broker) mark(ctx context.Context, queue string, change func(*session, *amqp.Channel) error) error {
	if err := b.change(ctx, func(s *session) error {
		ch, err := s.conn.Channel()
		if err != nil {
			return err
		}
		defer ch.Close()
		if err := change(s, ch); err != nil {
			return err
		}
		return b.topology.declareControl(ch)
	}); err != nil {
		return err
	}
	if err := b.tell(ctx, queue); err != nil {
		return fmt.Errorf("the workers could not be told; repeat the call: %w", err)
	}
	return nil
}

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
	ch, err := openConfirming(ctx, s)
	if err != nil {
		return err
	}
	defer func() { go ch.close() }() // which takes an alarm, if there is one
	c, err := ch.publish(b.topology.control(), "", &frame.Properties{ContentType: "text/plain"}, []byte(queue))
	if err != nil {
		return err
	}
	switch (pending{c: c}).wait(ctx) {
	case confirmed, unroutable: // in the latter case there is no worker
		return nil
	}
	return cmp.Or(ctx.Err(), dtask.ErrUnknownOutcome)
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
	ch, err := s.channel(ctx)
	if err != nil {
		return err
	}
	if err := b.topology.declareControl(ch); err != nil {
		return err
	}
	q, err := ch.QueueDeclare("", false, true, true, false, nil)
	if err != nil {
		return declareError("queue", "of control messages", err)
	}
	if err := ch.QueueBind(q.Name, "", b.topology.control(), false, nil); err != nil {
		return declareError("binding of queue", q.Name, err)
	}
	in, err := ch.Consume(q.Name, "control", true, true, false, false, nil)
	if err != nil {
		return err
	}
	go func() {
		for d := range in {
			b.look(string(d.Body))
		}
	}()
	return nil
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
