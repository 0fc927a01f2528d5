package rabbitmq

import (
	"context"
	"math"
	"sync/atomic"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/wire"
)

// Purge implements broker.Admin. A message that passes from one level of
// delay to the next in that moment may escape.
func (b *Broker) Purge(ctx context.Context, queue string) (int, error) {
	return b.act(ctx, func(s *session, purged *atomic.Int64) error {
		// Messages come down the levels, and then are ready.
		for level := levels - 1; level >= 0; level-- {
			if err := b.purgeDelayed(ctx, s, b.topology.names.level(level), queue, purged); err != nil {
				return err
			}
		}
		if err := b.purgeDelayed(ctx, s, b.topology.lost(), queue, purged); err != nil {
			return err
		}
		for _, c := range consumed {
			err := s.Declare(ctx, func(ch *amqp.Channel) error {
				n, err := ch.QueuePurge(b.topology.queue(c, queue), false)
				purged.Add(int64(n))
				return err
			})
			if err != nil && !isCode(err, amqp.NotFound) {
				return err
			}
		}
		return nil
	})
}

// purgeDelayed deletes the messages of a queue that wait at a level of delay, or
// are lost, among those of other queues.
func (b *Broker) purgeDelayed(ctx context.Context, s *session, from, queue string, purged *atomic.Int64) error {
	return b.browse(ctx, s, from, math.MaxInt, levelGap, func(ds []*wire.Delivery) (remove []uint64, err error) {
		for _, d := range ds {
			if _, of, ok := b.topology.delayedFor(d.Key); ok && of == queue {
				remove = append(remove, d.Tag)
			}
		}
		purged.Add(int64(len(remove)))
		return remove, nil
	})
}
