package rabbitmq

import (
	"context"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/codec"
	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/wire"
)

// What operators have paused and cancelled is in two queues. Every process that
// consumes knows all of it: it reads them when a session begins, and hears of every
// change through the control exchange (control.go). Who changes something holds one
// lock for both, and passes the word on before it gives the lock back: so the words come
// in the order of the changes. A word may get lost with a connection. Then there is a
// new session, which reads.

// controls are what a process knows of them. The zero value knows of nothing.
type controls struct {
	mu        sync.RWMutex
	pauses    map[pausable]broker.Pause
	cancelled map[string]cancellation // by id

	anyPaused, anyCancelled atomic.Bool
}

// A pausable is what can be paused.
type pausable struct {
	what broker.Pausable
	name string
}

// A cancellation says of an id when it was cancelled, or when that was undone.
type cancellation struct {
	at     time.Time
	undone bool
}

// pauseOf returns the pause of something that is in force.
func (c *controls) pauseOf(what broker.Pausable, name string) (broker.Pause, bool) {
	if !c.anyPaused.Load() {
		return broker.Pause{}, false
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	p, ok := c.pauses[pausable{what, name}]
	return p, ok && p.InForce(time.Now())
}

// isCancelled reports whether a message was cancelled.
func (c *controls) isCancelled(id string) bool {
	if !c.anyCancelled.Load() {
		return false
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	one, ok := c.cancelled[id]
	return ok && !one.undone && time.Since(one.at) < cancelledFor
}

// pause notes a pause, resume that it is over.
func (c *controls) pause(p broker.Pause) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pauses == nil {
		c.pauses = make(map[pausable]broker.Pause)
	}
	c.pauses[pausable{p.What, p.Name}] = p
	c.anyPaused.Store(true)
}

func (c *controls) resume(what broker.Pausable, name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.pauses, pausable{what, name})
	c.anyPaused.Store(len(c.pauses) > 0)
}

// cancel notes that messages were cancelled, or that this was undone. It returns the
// ids for which that is new.
func (c *controls) cancel(e cancelEntry) (news []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cancelled == nil {
		c.cancelled = make(map[string]cancellation)
	}
	for _, id := range e.IDs {
		before, known := c.cancelled[id]
		if known && !e.At.After(before.at) {
			continue
		}
		c.cancelled[id] = cancellation{e.At, e.Undone}
		if !e.Undone && (!known || before.undone) {
			news = append(news, id)
		}
	}
	if len(c.cancelled) > maxKnownCancelled { // the queue has dropped the oldest long ago
		maps.DeleteFunc(c.cancelled, func(_ string, one cancellation) bool { return time.Since(one.at) > cancelledFor })
	}
	c.anyCancelled.Store(len(c.cancelled) > 0)
	return news
}

// replacePauses takes over what was read.
func (c *controls) replacePauses(ps []broker.Pause) {
	c.mu.Lock()
	c.pauses = nil
	c.anyPaused.Store(false)
	c.mu.Unlock()
	for _, p := range ps {
		c.pause(p)
	}
}

// inForce returns the pauses that go on.
func (c *controls) inForce() []broker.Pause {
	c.mu.RLock()
	defer c.mu.RUnlock()
	ps := slices.SortedFunc(maps.Values(c.pauses), broker.Pause.Compare)
	return slices.DeleteFunc(ps, func(p broker.Pause) bool { return !p.InForce(time.Now()) })
}

// controlsPatience bounds how long a session waits to read: another process may look
// at the queues, and hang.
const controlsPatience = 20 * time.Second

// readControls reads what is paused and cancelled. Who has never used them need not
// wait for a lock.
func (b *Broker) readControls(ctx context.Context, s *session) error {
	ctx, cancel := context.WithTimeout(ctx, controlsPatience)
	defer cancel()
	used := false
	for _, q := range []string{b.topology.pauses(), b.topology.cancelled()} {
		exists, err := queueExists(ctx, s, q)
		if err != nil {
			return err
		}
		used = used || exists
	}
	if !used {
		b.controls.replacePauses(nil)
		return nil
	}
	return b.withControls(ctx, s, func() error {
		pauses, err := b.readPauses(ctx, s)
		if err != nil {
			return err
		}
		b.controls.replacePauses(pauses)
		return b.readCancelled(ctx, s)
	})
}

// withControls runs f with the lock of what is paused and cancelled.
func (b *Broker) withControls(ctx context.Context, s *session, f func() error) error {
	unlock, err := b.lock(ctx, s, b.topology.namespace+".controls")
	if err != nil {
		return err
	}
	defer unlock()
	return f()
}

// control publishes an entry of a queue of controls.
func (b *Broker) control(ctx context.Context, c class, name string, body []byte) error {
	return b.publish(ctx, &publication{
		message: codec.Envelope{
			Properties: wire.Properties{ContentType: "application/json", DeliveryMode: wire.Persistent, Timestamp: time.Now().Unix()},
			Body:       body,
		},
		queue: name,
		class: c,
		name:  name,
	})
}

// controlsQueue are the arguments of such a queue: it is only read.
func controlsQueue(more amqp.Table) amqp.Table {
	args := amqp.Table{
		amqp.QueueTypeArg:  amqp.QueueTypeQuorum,
		"x-delivery-limit": int64(unlimited),
	}
	maps.Copy(args, more)
	return args
}
