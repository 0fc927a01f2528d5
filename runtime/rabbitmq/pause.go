package rabbitmq

import (
	"context"
	"errors"

	amqp "github.com/rabbitmq/amqp091-go"

	dtask "github.com/dtaskhq/dtask/runtime"
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
	return b.change(ctx, func(s *session) error {
		if err := b.topology.ensure(ctx, s, classDefault, queue, -1); err != nil {
			return err
		}
		return b.tell(s, queue, func(ch *amqp.Channel) error {
			return declareQueue(ch, b.topology.paused(queue), amqp.Table{amqp.QueueTypeArg: amqp.QueueTypeQuorum})
		})
	})
}

// Resume implements dtask.Inspector.
func (b *Broker) Resume(ctx context.Context, queue string) error {
	return b.change(ctx, func(s *session) error {
		return b.tell(s, queue, func(ch *amqp.Channel) error {
			_, err := ch.QueueDelete(b.topology.paused(queue), false, false, false)
			return err
		})
	})
}

// tell makes a change of a queue and tells all workers to look at it.
func (b *Broker) tell(s *session, queue string, change func(*amqp.Channel) error) error {
	ch, err := s.conn.Channel()
	if err != nil {
		return err
	}
	defer ch.Close()
	if err := change(ch); err != nil {
		return err
	}
	if err := ch.Confirm(false); err != nil {
		return err
	}
	confirm, err := ch.PublishWithDeferredConfirm(b.topology.control(), "", false, false, amqp.Publishing{
		ContentType: "text/plain",
		Body:        []byte(queue),
	})
	if err != nil {
		return err
	}
	if !confirm.Wait() {
		return errors.New("the workers could not be told; repeat the call")
	}
	return nil
}

// listen prepares a session for consuming: the consumers on it hear of changes.
func (b *Broker) listen(ctx context.Context, s *session) error {
	ch, err := s.channel(ctx)
	if err != nil {
		return err
	}
	exchange := b.topology.control()
	if err := ch.ExchangeDeclare(exchange, amqp.ExchangeFanout, true, false, false, false, nil); err != nil {
		return declareError("exchange", exchange, err)
	}
	q, err := ch.QueueDeclare("", false, true, true, false, nil)
	if err != nil {
		return declareError("queue", "of control messages", err)
	}
	if err := ch.QueueBind(q.Name, "", exchange, false, nil); err != nil {
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
