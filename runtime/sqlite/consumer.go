package sqlite

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// consumer delivers the messages of one queue. The writer claims for it and
// fills its channel; its room for more is what the writer goes by.
type consumer struct {
	writer      *writer
	log         *slog.Logger
	id          int64 // in dtask_consumers
	queue       string
	concurrency int
	deliveries  chan broker.Delivery
	held        atomic.Int64 // delivered into the channel, and not settled
	settled     atomic.Int64 // in all

	mu      sync.Mutex // over sends and the close of the channel
	stopped atomic.Bool

	// The rest belongs to the writer.
	batch   []*delivery        // claimed in the transaction under way
	fedAt   time.Time          // when it last got something
	dueAt   [classes]time.Time // when each class has something to claim; zero: look
	paused  bool
	ahead   readAhead
	picking int // position in the cycle of priorities
}

var _ broker.Consumer = (*consumer)(nil)

// Consume implements [broker.Broker].
func (b *Broker) Consume(ctx context.Context, o broker.ConsumeOptions) (broker.Consumer, error) {
	c := &consumer{
		writer:      b.writer,
		log:         cmp.Or(o.Logger, b.writer.log),
		queue:       o.Queue,
		concurrency: o.Concurrency,
		deliveries:  make(chan broker.Delivery, o.Concurrency+maxAhead),
	}
	w := b.writer
	err := w.await(ctx, newOperation(
		func(conn *conn) error { return w.enter(conn, c) },
		func() { w.consumers = append(w.consumers, c) },
	))
	if err != nil {
		c.Stop()
		w.put(func(in *inbox) { in.operations = append(in.operations, c.leaving()) }) // it may still be registered
		return nil, err
	}
	return c, nil
}

// enter makes c known to the file.
func (w *writer) enter(conn *conn, c *consumer) error {
	if w.isClosing() {
		return broker.ErrClosed
	}
	if err := w.process.join(conn, w.target); err != nil {
		return err
	}
	if _, err := conn.exec("INSERT INTO dtask_queues (name) VALUES (?) ON CONFLICT DO NOTHING", c.queue); err != nil {
		return err
	}
	return w.register(c, time.Now())
}

// remove makes the writer forget c.
func (w *writer) remove(c *consumer) {
	w.consumers = slices.DeleteFunc(w.consumers, func(known *consumer) bool { return known == c })
	for queue, holder := range w.quarantined {
		if holder == c {
			delete(w.quarantined, queue)
		}
	}
}

// Deliveries implements [broker.Consumer].
func (c *consumer) Deliveries() <-chan broker.Delivery { return c.deliveries }

// Stop implements [broker.Consumer].
func (c *consumer) Stop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stopped.Swap(true) {
		return
	}
	c.release(c.buffered(maxAhead + c.concurrency))
	close(c.deliveries)
}

// Close implements [broker.Consumer].
func (c *consumer) Close(ctx context.Context) error {
	c.Stop()
	err := c.writer.handIn(ctx, c.leaving())
	if errors.Is(err, broker.ErrClosed) {
		return nil // the broker gave up for it
	}
	return err
}

// leaving returns the operation that ends c. It must succeed some time: only c
// can free its messages while the process lives.
func (c *consumer) leaving() *operation {
	op := newOperation(
		func(conn *conn) error { return giveUp(conn, c.id) },
		func() { c.writer.remove(c) },
	)
	op.lasting = true
	return op
}

const giveUpMessages = "UPDATE dtask_messages SET state = 0, owner = NULL WHERE state = 1 AND owner = ?"

// giveUp frees the messages of a consumer at no cost of an attempt, and forgets
// the consumer.
func giveUp(conn *conn, id int64) error {
	if _, err := conn.exec(giveUpMessages, id); err != nil {
		return err
	}
	_, err := conn.exec("DELETE FROM dtask_consumers WHERE id = ?", id)
	return err
}

// deliver hands the batch to the worker. There is room for it in the channel:
// no more was claimed.
func (c *consumer) deliver() {
	if len(c.batch) == 0 {
		return
	}
	c.fedAt = time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.held.Add(int64(len(c.batch)))
	if c.stopped.Load() {
		c.release(slices.Clone(c.batch))
	} else {
		for _, d := range c.batch {
			c.deliveries <- d
		}
	}
	clear(c.batch)
	c.batch = c.batch[:0]
}

// buffered takes up to n messages back out of the channel.
func (c *consumer) buffered(n int) (ds []*delivery) {
	for len(ds) < n {
		select {
		case d := <-c.deliveries:
			ds = append(ds, d.(*delivery))
		default:
			return ds
		}
	}
	return ds
}

// release gives back messages that nobody has received.
func (c *consumer) release(ds []*delivery) {
	if len(ds) == 0 {
		return
	}
	c.held.Add(-int64(len(ds)))
	c.writer.put(func(in *inbox) {
		for _, d := range ds {
			in.settlements = append(in.settlements, settlement{delivery: d, verdict: released})
		}
	})
}

// room returns how many messages c may claim now.
func (c *consumer) room(now time.Time) int {
	if c.paused || c.stopped.Load() {
		return 0
	}
	ahead := c.ahead.size
	if c.quarantineWaits(now) {
		ahead = 0 // else there would always be others in line before it
	}
	return max(c.freeSlots()+ahead, 0)
}

// freeSlots returns how many messages claimed now would be started at once. It
// is negative if c has fetched ahead.
func (c *consumer) freeSlots() int {
	return c.concurrency - int(c.held.Load()) - len(c.batch)
}

// quarantineWaits reports whether a message that is to be run alone waits for
// the next free slot.
func (c *consumer) quarantineWaits(now time.Time) bool {
	return !c.dueAt[quarantine].IsZero() && c.due(quarantine, now) && c.writer.quarantined[c.queue] == nil
}

// hoardTime is how long messages may wait for a worker that has become slower.
const hoardTime = 500 * time.Millisecond

// shedHoard gives back what c has fetched ahead and, at the rate at which it
// works now, should not have: another process may be free.
func (c *consumer) shedHoard(now time.Time) {
	if len(c.deliveries) == 0 || now.Sub(c.fedAt) < hoardTime {
		return
	}
	c.ahead.measure(c.settled.Load(), now)
	c.shed(c.ahead.size)
}

// shed gives back what was fetched ahead beyond n messages.
func (c *consumer) shed(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.stopped.Load() {
		c.release(c.buffered(len(c.deliveries) - n))
	}
}
