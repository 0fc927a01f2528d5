package rabbitmq

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// A consumer delivers the messages of one queue: it subscribes on one session
// after the other, and merges the classes of the queue.
type consumer struct {
	b       *Broker
	queue   string
	tell    func(id string) // of a message that was cancelled; or nil
	log     *slog.Logger    // names the queue
	out     chan broker.Delivery
	recheck chan struct{} // the queue may have been paused or resumed
	pace    pace

	// For the gate, see gate.go.
	gate     atomic.Int32 // what passes
	isPaused atomic.Bool
	suspects atomic.Int32 // that have come
	current  atomic.Pointer[subscription]

	// What serve notes, see shed.go.
	picks int                  // deliveries
	shed  map[string]time.Time // what went back to the queue, by id

	quarantining moves          // into the quarantine
	executed     executed       // on connections that were lost
	ledger       ledger         // what is not recorded
	finishing    sync.WaitGroup // subscriptions that were replaced

	ctx  context.Context // ends with Stop
	stop context.CancelFunc

	closeOnce sync.Once
	closing   chan struct{} // closed by Close
	hurry     context.Context
	giveUp    context.CancelFunc // the context of Close has ended
	ended     chan struct{}      // closed when run has ended
	err       error              // valid once ended is closed
}

// Consume implements broker.Broker.
func (b *Broker) Consume(ctx context.Context, o broker.ConsumeOptions) (broker.Consumer, error) {
	c := &consumer{
		b:       b,
		queue:   o.Queue,
		tell:    o.Cancelled,
		log:     cmp.Or(o.Logger, b.log).With("queue", o.Queue),
		out:     make(chan broker.Delivery),
		recheck: make(chan struct{}, 1),
		shed:    make(map[string]time.Time),
		closing: make(chan struct{}),
		ended:   make(chan struct{}),
	}
	c.pace.start(o.Concurrency, time.Now())
	c.ctx, c.stop = context.WithCancel(context.Background())
	c.hurry, c.giveUp = context.WithCancel(context.Background())
	if err := b.consuming.start(ctx); err != nil {
		return nil, b.consuming.trouble.explain(err)
	}
	b.addConsumer(c) // before it looks whether the queue is paused
	sub, err := c.subscribe(ctx, nil)
	if err != nil {
		b.removeConsumer(c)
		return nil, b.consuming.trouble.explain(err)
	}
	go c.run(sub)
	return c, nil
}

// Deliveries implements broker.Consumer.
func (c *consumer) Deliveries() <-chan broker.Delivery { return c.out }

// proveTime is what Close may take beyond its context, to find out what RabbitMQ
// has recorded of the rest; and giveUpTime beyond that, if RabbitMQ does not
// answer.
const (
	proveTime  = 2 * time.Second
	giveUpTime = 500 * time.Millisecond
)

// Stop implements broker.Consumer.
func (c *consumer) Stop() { c.stop() }

// Close implements broker.Consumer.
func (c *consumer) Close(ctx context.Context) error {
	c.stop()
	c.closeOnce.Do(func() { close(c.closing) })
	select {
	case <-c.ended:
		return c.err
	case <-ctx.Done():
	}
	c.giveUp()
	select {
	case <-c.ended:
	case <-time.After(proveTime + giveUpTime): // the connection will end
	}
	return fmt.Errorf("closed with settlements under way: %w", ctx.Err())
}

func (b *Broker) addConsumer(c *consumer) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.consumers) == 0 {
		var ctx context.Context
		ctx, b.unwatch = context.WithCancel(b.consuming.ctx)
		b.watching.Go(func() { b.watchSuspects(ctx) })
	}
	b.consumers[c] = struct{}{}
	c.gate.Store(b.gate)
	b.rescueWhile(true)
}

func (b *Broker) removeConsumer(c *consumer) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.consumers, c)
	if len(b.consumers) == 0 {
		b.unwatch()
	}
	b.rescueWhile(len(b.consumers) > 0)
}
