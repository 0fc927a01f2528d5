package rabbitmq

import (
	"context"
	"errors"
	"slices"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/codec"
	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/wire"
)

// The registry is a queue that holds the names of all queues, one in each
// message: AMQP has no way to list queues. Whoever finds a queue missing enters
// its name before declaring it. A name stays for ever.

// enter has a queue entered in the registry, unless it is there already: that is
// so if the queue of its dead letters exists.
func (t *topology) enter(ctx context.Context, s *session, queue string) error {
	dead := t.queue(classDead, queue)
	if _, ok := t.known.Load(dead); ok {
		return nil
	}
	exists, err := within(ctx, func() (bool, error) { return queueExists(ctx, s, dead) }, nil)
	if err != nil || exists {
		return err
	}
	return t.register(ctx, s, queue)
}

// register enters a queue in the registry. It does so through the connection for
// publishing: during an alarm RabbitMQ blocks every connection that publishes, and
// consuming must go on. For the same reason a consumer does not wait for the
// entry; if the process dies too early, the queue is not listed.
func (b *Broker) register(ctx context.Context, s *session, queue string) error {
	entry := &publication{
		message: codec.Envelope{
			Properties: wire.Properties{ContentType: "text/plain", DeliveryMode: wire.Persistent, Timestamp: time.Now().Unix()},
			Body:       []byte(queue),
		},
		queue: queue,
		class: classRegistry,
		name:  b.topology.registry(),
	}
	if s.pub != nil {
		err := b.publish(ctx, entry)
		if err != nil && ctx.Err() != nil {
			return s.pub.why(ctx.Err()) // only the outcome of the entry is unknown
		}
		return err
	}
	b.registering.Go(func() {
		if err := b.publish(context.Background(), entry); err != nil && !errors.Is(err, broker.ErrClosed) {
			b.log.Error("queue cannot be registered, and will not be listed", "queue", queue, "err", err)
		}
	})
	return nil
}

// ensureRegistry declares the registry, unless that was done before.
func (t *topology) ensureRegistry(ctx context.Context, s *session) error {
	return t.ensureAlone(ctx, s, t.registry(), amqp.Table{
		amqp.QueueTypeArg:  amqp.QueueTypeQuorum,
		"x-delivery-limit": int64(unlimited),
	})
}

// registered returns the names of all queues, sorted.
func (b *Broker) registered(ctx context.Context, s *session) ([]string, error) {
	var queues []string
	err := b.browse(ctx, s, b.topology.registry(), maxBrowse, arrivalGap, func(ds []*wire.Delivery) ([]uint64, error) {
		for _, d := range ds {
			queues = append(queues, string(d.Body))
		}
		return nil, nil
	})
	slices.Sort(queues)
	return slices.Compact(queues), err
}
