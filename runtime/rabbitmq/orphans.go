package rabbitmq

import (
	"context"
	"slices"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// Orphans implements [broker.Overseer]. The registry names the queues; delayed
// messages are not seen before they are due.
func (b *Broker) Orphans(ctx context.Context) ([]broker.QueueState, error) {
	states, err := b.Queues(ctx)
	if err != nil {
		return nil, err
	}
	states = slices.DeleteFunc(states, func(s broker.QueueState) bool { return s.Paused || s.Ready == 0 })
	return ask(ctx, b, func(s *session) (orphans []broker.QueueState, err error) {
		for _, state := range states {
			n, err := b.consumersOf(ctx, s, state.Queue)
			if err != nil {
				return nil, err
			}
			if n == 0 {
				orphans = append(orphans, state)
			}
		}
		return orphans, nil
	})
}

// consumersOf counts the consumers of all classes of a queue.
func (b *Broker) consumersOf(ctx context.Context, s *session, queue string) (n int, err error) {
	for _, c := range b.consumersNow() {
		if c.queue == queue { // it may fetch nothing at this moment, see gate.go
			return 1, nil
		}
	}
	for _, c := range consumed {
		found := make(chan int, 1) // Declare may return before the function does
		err := s.Declare(ctx, func(ch *amqp.Channel) error {
			q, err := ch.QueueDeclarePassive(b.topology.queue(c, queue), true, false, false, false, nil)
			found <- q.Consumers
			return err
		})
		switch {
		case err == nil:
			n += <-found
		case !isCode(err, amqp.NotFound):
			return 0, err
		}
	}
	return n, nil
}
