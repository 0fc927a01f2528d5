package rabbitmq

import (
	"context"
	"fmt"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// A queue is paused while a queue of another name, its marker, exists.
// Consumers look for the marker when they subscribe and when they are told of
// a change, which they are through a fanout exchange. The word of a change may
// get lost with a connection: then the consumer subscribes anew, and looks.

// Pause implements broker.Admin.
func (b *Broker) Pause(ctx context.Context, queue string) error {
	if err := broker.ValidateQueue(queue); err != nil {
		return err
	}
	return b.mark(ctx, queue, func(s *session, ch *amqp.Channel) error {
		if err := b.topology.ensure(ctx, s, classDefault, queue, -1); err != nil {
			return err
		}
		return declareQueue(ch, b.topology.paused(queue), amqp.Table{amqp.QueueTypeArg: amqp.QueueTypeQuorum})
	})
}

// Resume implements broker.Admin.
func (b *Broker) Resume(ctx context.Context, queue string) error {
	return b.mark(ctx, queue, func(_ *session, ch *amqp.Channel) error {
		_, err := ch.QueueDelete(b.topology.paused(queue), false, false, false)
		return err
	})
}

// mark changes the marker of a queue, and tells all workers to look at it.
func (b *Broker) mark(ctx context.Context, queue string, change func(*session, *amqp.Channel) error) error {
	if err := b.change(ctx, func(s *session) error {
		return s.Declare(ctx, func(ch *amqp.Channel) error {
			if err := change(s, ch); err != nil {
				return err
			}
			return b.topology.declareControl(ch)
		})
	}); err != nil {
		return err
	}
	if err := b.tell(ctx, queue); err != nil {
		return fmt.Errorf("the workers could not be told; repeat the call: %w", err)
	}
	return nil
}
