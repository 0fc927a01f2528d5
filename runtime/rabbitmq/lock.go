package rabbitmq

import (
	"context"
	"fmt"

	amqp "github.com/rabbitmq/amqp091-go"
)

// lock takes the lock of a queue. The lock is an exclusive queue of its own:
// RabbitMQ removes it with the connection, and refuses it to others until then.
func (b *Broker) lock(ctx context.Context, s *session, queue string) (unlock func(), err error) {
	select {
	case b.browsing <- struct{}{}: // the connection is one holder only
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	name := b.topology.lock(queue)
	for attempt := 0; ; attempt++ {
		always := context.WithoutCancel(ctx) // a lock that nobody knows of would stay
		err = s.Declare(always, func(ch *amqp.Channel) error {
			_, err := ch.QueueDeclare(name, false, false, true, false, nil)
			return err
		})
		if err == nil {
			return func() {
				s.Declare(always, func(ch *amqp.Channel) error {
					_, err := ch.QueueDelete(name, false, false, false)
					return err
				})
				<-b.browsing
			}, nil
		}
		if !isCode(err, amqp.ResourceLocked) {
			break
		}
		if !sleep(ctx, backoff(min(attempt, 3))) {
			err = fmt.Errorf("%w: queue %s is being looked at by another client", ctx.Err(), queue)
			break
		}
	}
	<-b.browsing
	return nil, err
}
