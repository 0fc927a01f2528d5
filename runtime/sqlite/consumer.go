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

// consumer delivers the messages of one queue. The writer claims as many for it as
// it has room for, and puts them into its channel.
type consumer struct {
	writer      *writer
	log         *slog.Logger
	id          int64 // in dtask_consumers
	queue       string
	concurrency int
	tell        func(id string) // of a message that was cancelled; or nil
	deliveries  chan broker.Delivery
	held        atomic.Int64 // delivered into the channel, and not settled
	settled     atomic.Int64 // in all

	mu      sync.Mutex // over sends and the close of the channel
	stopped atomic.Bool

	// The rest belongs to the writer.
	batch   []*delivery        // claimed in the transaction under way
	fedAt   time.Time          // when it last got something
	dueAt   [classes]time.Time // when each class has something to claim; zero: look
	paused  *broker.Pause      // of the queue, or nil
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
		tell:        o.Cancelled,
		deliveries:  make(chan broker.Delivery, o.Concurrency+maxAhead),
	}
	w := b.writer
	entering := newOperation(
		func(conn *conn) error { return w.enter(conn, c) },
		func() { w.consumers = append(w.consumers, c) },
	)
	entering.private = true
	err := w.await(ctx, entering)
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
	if err := w.liveness.join(conn, w.target); err != nil {
		return err
	}
	if _, err := conn.exec("INSERT INTO dtask_queues (name) VALUES (?) ON CONFLICT DO NOTHING", c.queue); err != nil {
		return err
	}
	var err error
	if c.paused, err = pauseOfQueue(conn, c.queue); err != nil {
		return err
	}
	return w.register(c, time.Now())
}

// remove makes the writer forget c.
func (w *writer) remove(c *consumer) {
	w.consumers = slices.DeleteFunc(w.consumers, func(known *consumer) bool { return known == c })
	if s := w.gate.suspect; s != nil && s.consumer == c {
		w.leaveGate(s)
	}
	if w.gate.last == c {
		w.gate.last = nil
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

// leaving returns the operation that ends c. It is repeated until it succeeds: as
// long as the process lives nobody else frees the messages of c.
func (c *consumer) leaving() *operation {
	op := newOperation(
		func(conn *conn) error { return c.writer.giveUp(conn, c.id) },
		func() { c.writer.remove(c) },
	)
	op.lasting = true
	return op
}

const giveUpMessages = "UPDATE dtask_messages SET state = 0, owner = NULL WHERE state = 1 AND owner = ?"

// giveUp frees the messages of a consumer at no cost of an attempt, and forgets
// the consumer.
func (w *writer) giveUp(conn *conn, id int64) error {
	if err := w.endCancelled(conn, "= ?", id); err != nil {
		return err
	}
	if _, err := conn.exec(giveUpMessages, id); err != nil {
		return err
	}
	_, err := conn.exec("DELETE FROM dtask_consumers WHERE id = ?", id)
	return err
}
