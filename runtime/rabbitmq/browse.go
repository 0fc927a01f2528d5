package rabbitmq

import (
	"context"
	"fmt"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// maxBrowse is how many messages of a queue can be looked at: the largest
// prefetch of AMQP.
const maxBrowse = 65535

// browseBatch is how many messages browse passes on at a time.
const browseBatch = 500

// browse passes up to limit messages of a queue to f, oldest first, and removes
// those whose tags f returns; the others stay where they are.
//
// While it looks at messages nobody else sees them, and so it holds a lock: a
// second one would miss what the first one holds.
func (b *Broker) browse(ctx context.Context, s *session, queue string, limit int, f func([]*incoming) (remove []uint64, err error)) error {
	unlock, err := b.lock(ctx, s, queue)
	if err != nil {
		return err
	}
	defer unlock()
	total, _, err := queueLength(s.conn, queue)
	n := min(total, limit, maxBrowse)
	if n <= 0 || err != nil {
		return err
	}
	ch, err := openChannel(s)
	if err != nil {
		return err
	}
	defer ch.close()
	const tag = "browse"
	if err := ch.qos(n); err != nil {
		return err
	}
	if err := ch.consume(queue, tag, ""); err != nil {
		return err
	}
	removed := 0
	var ds []*incoming
	for left := n; left > 0 && err == nil; {
		if len(ds) < min(left, browseBatch) {
			var more []*incoming
			more, err = ch.wait(ctx)
			ds = append(ds, more...)
			continue
		}
		batch := ds[:min(left, browseBatch)]
		ds = ds[len(batch):]
		left -= len(batch)
		last := batch[len(batch)-1].tag
		var remove []uint64
		remove, err = f(batch)
		removed += len(remove)
		if removed == n-left { // nothing has stayed so far
			ch.ack(last, true)
			continue
		}
		for _, tag := range remove {
			ch.ack(tag, false)
		}
	}
	// Closing the channel would return the rest, but only some time later.
	if cancelErr := ch.cancel(tag); err == nil {
		err = cancelErr
	}
	ch.requeueAll()
	if removed > 0 {
		sleep(ctx, ackGrace)
	}
	awaitLength(ctx, s, queue, total-removed)
	return err
}

// awaitLength waits a moment until a queue holds n messages, so that who looks
// next sees what was returned.
func awaitLength(ctx context.Context, s *session, queue string, n int) {
	for range 50 {
		length, _, err := queueLength(s.conn, queue)
		if length >= n || err != nil || !sleep(ctx, 10*time.Millisecond) {
			return
		}
	}
}

// lock takes the lock of a queue, which is an exclusive queue: RabbitMQ
// removes it with the connection, and refuses it to others until then.
func (b *Broker) lock(ctx context.Context, s *session, queue string) (unlock func(), err error) {
	select {
	case b.browsing <- struct{}{}: // the connection is one holder only
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	name := queue + ".lock"
	for attempt := 0; ; attempt++ {
		var ch *amqp.Channel
		if ch, err = s.conn.Channel(); err != nil {
			break
		}
		if _, err = ch.QueueDeclare(name, false, false, true, false, nil); err == nil {
			return func() {
				ch.QueueDelete(name, false, false, false)
				ch.Close()
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
