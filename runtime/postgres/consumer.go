package postgres

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// consumer delivers the messages of one queue. The claimer claims as many for it as it
// has room for, and puts them into its channel.
type consumer struct {
	b           *Broker
	log         *slog.Logger
	id          atomic.Int64 // in dtask_consumers
	queue       string
	concurrency int
	deliveries  chan broker.Delivery
	tell        func(id string) // of a message that was cancelled; or nil
	held        atomic.Int64    // delivered into the channel, and no outcome of it is durable
	settled     atomic.Int64    // in all
	hungry      atomic.Int64    // at how many held it wants more; -1: it does not

	mu      sync.Mutex // over sends and the close of the channel
	stopped atomic.Bool

	// The rest belongs to the claimer.
	fedAt   time.Time          // when it last got something
	dueAt   [classes]time.Time // when each class has something to claim
	floor   floor
	paused  bool
	ahead   readAhead
	picking int  // position in the cycle of priorities
	plenty  bool // the last claim got all that it asked for: there is more, and no need to ask when
}

var _ broker.Consumer = (*consumer)(nil)

// Consume implements [broker.Broker].
func (b *Broker) Consume(ctx context.Context, o broker.ConsumeOptions) (broker.Consumer, error) {
	c := &consumer{
		b:           b,
		log:         cmp.Or(o.Logger, b.log),
		queue:       o.Queue,
		concurrency: o.Concurrency,
		tell:        o.Cancelled,
		deliveries:  make(chan broker.Delivery, o.Concurrency+maxAhead),
	}
	if err := b.liveness.join(ctx); err != nil {
		return nil, err
	}
	if err := b.call(ctx, func(ctx context.Context, q querier) error { return b.enter(ctx, q, c) }); err != nil {
		return nil, err
	}
	if !b.claimer.add(c) {
		b.liveness.giveUp(ctx, c)
		return nil, broker.ErrClosed
	}
	return c, nil
}

// enter makes c known to the database. If the answer is lost it is entered again: the
// first entry goes with the process.
func (b *Broker) enter(ctx context.Context, q querier, c *consumer) error {
	if _, err := q.Exec(ctx, b.in("INSERT INTO dtask_queues (name) VALUES ($1) ON CONFLICT DO NOTHING"), c.queue); err != nil {
		return err
	}
	if err := q.QueryRow(ctx, b.in("SELECT "+queuePaused), c.queue).Scan(&c.paused); err != nil {
		return err
	}
	return b.register(ctx, q, c)
}

// register gives c an id.
func (b *Broker) register(ctx context.Context, q querier, c *consumer) error {
	var id int64
	if err := q.QueryRow(ctx, b.in("INSERT INTO dtask_consumers (worker, queue) VALUES ($1, $2) RETURNING id"), b.liveness.worker.Load(), c.queue).Scan(&id); err != nil {
		return err
	}
	c.id.Store(id)
	return nil
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
	err := c.b.settler.leave(ctx, c)
	if errors.Is(err, broker.ErrClosed) {
		return nil // the broker gave up for it
	}
	return err
}
