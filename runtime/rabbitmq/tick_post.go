package rabbitmq

import (
	"crypto/rand"
	"sync"
	"time"

	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/codec"
	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/wire"
)

// A post is this process at the queue of a schedule: waiting, or active.
type post struct {
	t        *schedules
	schedule string
	queue    string        // of RabbitMQ
	ready    chan struct{} // closed once everything was read
	ended    chan struct{} // closed when the consumer was cancelled

	ticking sync.Mutex // one tick at a time

	mu      sync.Mutex
	active  bool
	fence   string    // the name of the newest one
	keptTag uint64    // of a fence of this process
	newest  time.Time // tick
	tickTag uint64    // of its token
	renewed time.Time
}

// join begins to consume the queue of the schedule.
func (p *post) join() error {
	const unbounded = 0
	t, tag := p.t, rand.Text()
	t.tagsMu.Lock()
	t.tags[tag] = p
	t.tagsMu.Unlock()
	if err := t.ch.Consume(p.queue, tag, unbounded, ""); err != nil {
		return err
	}
	// In an empty queue nothing would tell an active consumer that it is one.
	return p.raise("hello")
}

// end notes that the post is lost.
func (p *post) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !isClosed(p.ended) {
		close(p.ended)
	}
}

// raise publishes a fence.
func (p *post) raise(name string) error {
	var h wire.Builder
	h.Text(headerFence, name)
	return p.t.send(p.queue, codec.Envelope{Properties: wire.Properties{DeliveryMode: wire.Persistent, Headers: h.Table()}})
}

// receive takes what is in the queue: this process is active.
func (p *post) receive(d *wire.Delivery) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.active {
		p.active, p.fence = true, rand.Text()
		if err := p.raise(p.fence); err != nil {
			return err
		}
	}
	outdated := d.Tag // the message to be removed
	if v, ok := d.Headers.Get(headerTick); ok {
		ms, _ := v.Int()
		if tick := time.UnixMilli(ms); !tick.Before(p.newest) {
			p.newest = tick
			outdated, p.tickTag = p.tickTag, d.Tag
		}
	} else if v, _ := d.Headers.Get(headerFence); v.Is(p.fence) {
		outdated, p.keptTag = p.keptTag, d.Tag
		p.renewed = time.Now()
		if !isClosed(p.ready) {
			close(p.ready)
			p.t.log.Debug("this process is the scheduler", "schedule", p.schedule)
		}
	}
	if outdated == 0 {
		return nil
	}
	return p.t.ch.Ack(outdated, false)
}

// renew replaces what is kept by copies, if it is old. p.mu is held.
func (p *post) renew() error {
	if time.Since(p.renewed) < p.t.renewAfter {
		return nil
	}
	p.renewed = time.Now()
	if !p.newest.IsZero() {
		if err := p.t.send(p.queue, token(p.newest)); err != nil {
			return err
		}
	}
	return p.raise(p.fence)
}
