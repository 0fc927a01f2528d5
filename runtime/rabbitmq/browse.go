package rabbitmq

import (
	"context"
	"errors"
	"time"

	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/wire"
)

// maxBrowse is how many messages of a queue are looked at, unless they are to be
// purged: the largest prefetch of AMQP.
const maxBrowse = 65535

// browseBatch is how many messages browse passes on at a time.
const browseBatch = 500

// How long browse waits for the next messages of a queue that says it has none
// left: they may be on their way, which takes time if they are many. At a level
// of delay they may have gone on, so that nothing comes.
const (
	arrivalGap = 10 * time.Second
	levelGap   = 2 * time.Second
)

// browse passes up to limit messages of a queue to f, oldest first, and removes
// those whose tags f returns; the others stay where they are. gap is how long it
// waits for the next ones.
//
// A message that is looked at is hidden from everybody else. So browse holds a
// lock: a second one would miss what the first one has in its hands.
func (b *Broker) browse(ctx context.Context, s *session, queue string, limit int, gap time.Duration, f func([]*wire.Delivery) (remove []uint64, err error)) error {
	if n, _, err := queueLength(ctx, s, queue); n == 0 || limit <= 0 || err != nil {
		return err
	}
	unlock, err := b.lock(ctx, s, queue)
	if err != nil {
		return err
	}
	defer unlock()
	return b.browseLocked(ctx, s, queue, limit, gap, f)
}

// browseLocked is browse for who holds the lock.
func (b *Broker) browseLocked(ctx context.Context, s *session, queue string, limit int, gap time.Duration, f func([]*wire.Delivery) (remove []uint64, err error)) error {
	total, _, err := queueLength(ctx, s, queue)
	if total == 0 || err != nil {
		return err
	}
	ch, err := s.Channel(ctx)
	if err != nil {
		return err
	}
	defer ch.Close()
	const tag = "browse"
	prefetch := min(total, limit)
	if prefetch > maxBrowse {
		prefetch = 0 // unbounded
	}
	if err := ch.Consume(queue, tag, prefetch, ""); err != nil {
		return err
	}
	seen, removed := 0, 0
	var ds []*wire.Delivery
	for err == nil && seen < min(total, limit) {
		if len(ds) == 0 {
			if ds, err = rest(ctx, ch, queue, gap); len(ds) == 0 {
				break // the rest is gone by itself
			}
		}
		batch := ds[:min(len(ds), min(total, limit)-seen, browseBatch)]
		ds = ds[len(batch):]
		seen += len(batch)
		last := batch[len(batch)-1].Tag
		var remove []uint64
		remove, err = f(batch)
		removed += len(remove)
		if removed == seen { // nothing has stayed so far
			ch.Ack(last, true)
			continue
		}
		for _, tag := range remove {
			ch.Ack(tag, false)
		}
	}
	// Closing the channel would return the rest, but only some time later.
	if cancelErr := ch.Cancel(tag); err == nil {
		err = cancelErr
	}
	ch.Requeue()
	if removed > 0 {
		settleDown(ctx, ch, queue)
	}
	if limit < total {
		seen = total // and in part not looked at
	}
	awaitLength(ctx, s, queue, seen-removed)
	return err
}

// rest returns messages of a queue that have arrived. It waits for some while
// there may be any left.
func rest(ctx context.Context, ch *wire.Channel, queue string, gap time.Duration) ([]*wire.Delivery, error) {
	for {
		soon, cancel := context.WithTimeout(ctx, gap)
		in, err := ch.Wait(soon)
		cancel()
		if len(in) > 0 || ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded) {
			return in, err
		}
		if ready, err := ch.Ready(queue); err != nil || ready == 0 {
			return nil, err
		}
	}
}

// awaitLength waits a moment until a queue holds n messages, so that the next one
// who looks sees what this one has given back.
func awaitLength(ctx context.Context, s *session, queue string, n int) {
	for range 50 {
		length, _, err := queueLength(ctx, s, queue)
		if length >= n || err != nil || !sleep(ctx, 10*time.Millisecond) {
			return
		}
	}
}
