package rabbitmq

import (
	"context"
	"errors"
	"maps"
	"sync"
	"time"

	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/census"
	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/wire"
)

const (
	// clerkPatience is how long a message waits for its record while RabbitMQ is there.
	// If the stream takes no records, messages go on without, and the records follow.
	clerkPatience = 2 * time.Second

	// clerkIdle is how long the connection for records stays open without any.
	clerkIdle = 30 * time.Second

	// clerkTries is how often records are sent again because their connection was lost
	// while the one for messages was not.
	clerkTries = 3
)

// clerkRetry is how often a stream that took no records is tried again.
var clerkRetry = 10 * time.Second // tests shorten it

// A clerk sees to it that the census has every kind of message before the first one
// is sent.
type clerk struct {
	b    *Broker
	book census.Book

	turn chan struct{} // a mutex: one caller at a time records
	ch   *wire.Channel // of the session, or nil

	mu      sync.Mutex
	session *session // for records alone; nil while there is none
	idle    *time.Timer
	owed    records // nil unless the stream takes none at present
	paying  sync.WaitGroup
	ctx     context.Context
	stop    context.CancelFunc
}

func newClerk(b *Broker) *clerk {
	c := &clerk{b: b, turn: make(chan struct{}, 1)}
	c.ctx, c.stop = context.WithCancel(context.Background())
	return c
}

// close gives up what is owed.
func (c *clerk) close() {
	c.mu.Lock()
	c.stop()
	c.mu.Unlock()
	c.hangUp()
	c.paying.Wait()
}

// cover returns when the census covers messages, those that are nil or not for workers
// excepted. It fails only if RabbitMQ takes no messages at all before ctx ends, or the
// broker is closed.
func (c *clerk) cover(ctx context.Context, ps ...*publication) error {
	for _, p := range ps {
		if p != nil && !c.covers(p) {
			return c.record(ctx, ps)
		}
	}
	return nil
}

func (c *clerk) covers(p *publication) bool {
	return p.kind == census.Kind{} || c.book.Covers(p.kind, p.due)
}

// record is cover, for messages of which the book does not cover all.
func (c *clerk) record(ctx context.Context, ps []*publication) error {
	if c.owe(c.missing(ps), false) {
		return nil
	}
	select {
	case c.turn <- struct{}{}:
		defer func() { <-c.turn }()
	case <-ctx.Done():
		return c.whyNot(ctx)
	}
	missing := c.missing(ps) // another caller may have recorded them
	if len(missing) == 0 || c.owe(missing, false) {
		return nil
	}
	err := c.publish(ctx, missing)
	switch {
	case err == nil:
		c.enter(missing)
	case errors.Is(err, errNoCensus):
		c.owe(missing, true)
	default:
		return c.b.publishing.trouble.explain(err)
	}
	return nil
}

// whyNot returns why nothing was recorded before ctx has ended, or nil if publishing
// says it as well.
func (c *clerk) whyNot(ctx context.Context) error {
	s, err := c.b.publishing.session(ctx)
	if err != nil {
		return err
	}
	return s.awaitAccepting(ctx)
}

// records are by the kinds that they name.
type records map[census.Kind]census.Record

// add adds a record, and keeps the later of the times by which messages are due.
func (rs records) add(r census.Record) {
	if other, known := rs[r.Kind]; known && other.Latest.After(r.Latest) {
		return
	}
	rs[r.Kind] = r
}

// missing returns the records that the book needs to cover messages.
func (c *clerk) missing(ps []*publication) records {
	missing := make(records)
	for _, p := range ps {
		if p != nil && !c.covers(p) {
			missing.add(c.book.Next(p.kind, p.due))
		}
	}
	return missing
}

// enter notes that records are on disk.
func (c *clerk) enter(rs records) {
	for _, r := range rs {
		c.book.Enter(r)
	}
}

// owe notes records that are to follow, if some are owed already or begin to be.
func (c *clerk) owe(rs records, begin bool) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.owed == nil {
		if !begin || c.ctx.Err() != nil {
			return false
		}
		c.owed = make(records)
		c.paying.Go(c.pay)
	}
	for _, r := range rs {
		if _, known := c.owed[r.Kind]; !known && len(c.owed) >= census.MaxKinds {
			r.Kind = census.Kind{}
		}
		c.owed.add(r)
	}
	return true
}

// pay publishes what is owed until the stream has it, or the broker is closed.
func (c *clerk) pay() {
	stream := c.b.topology.census()
	for attempt := 0; ; attempt++ {
		err := c.payOnce()
		switch {
		case err == nil && attempt > 0:
			c.b.log.Info("the census takes records again", "stream", stream)
			return
		case err == nil || c.ctx.Err() != nil:
			return
		case attempt == 0:
			c.b.log.Warn("the census takes no records; messages are sent without, and preflight may not know of them until it does", "stream", stream, "err", err)
		}
		if !sleep(c.ctx, clerkRetry) {
			return
		}
	}
}

// payOnce tries once to publish what is owed.
func (c *clerk) payOnce() error {
	select {
	case c.turn <- struct{}{}:
		defer func() { <-c.turn }()
	case <-c.ctx.Done():
		return c.ctx.Err()
	}
	for {
		c.mu.Lock()
		owed := maps.Clone(c.owed)
		c.mu.Unlock()
		if err := c.publish(c.ctx, owed); err != nil {
			return err
		}
		c.enter(owed)
		c.mu.Lock()
		maps.DeleteFunc(c.owed, func(k census.Kind, r census.Record) bool { return owed[k] == r })
		paid := len(c.owed) == 0
		if paid {
			c.owed = nil
		}
		c.mu.Unlock()
		if paid {
			return nil
		}
	}
}
