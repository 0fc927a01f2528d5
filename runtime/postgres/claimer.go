package postgres

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// claimer claims messages for the consumers of the process: one goroutine for all, so
// that one round trip serves many.
type claimer struct {
	b      *Broker
	every  time.Duration // pollEvery
	wake   chan struct{}
	flight atomic.Int64 // odd while claims are on their way

	cancelled atomic.Pointer[cancelledSet] // as others see it

	mu        sync.Mutex
	consumers []*consumer
	hints     map[string]hint // by queue
	controls  bool            // what operators have changed is to be looked at

	// The rest belongs to the goroutine.
	gate   gate
	paused *paused   // at the last look, nil before it
	lookAt time.Time // when to look at everything next
}

// A hint says when classes of a queue may have messages. The zero time means that
// nobody knows.
type hint [classes]time.Time

// never is when a class without messages has its next one.
var never = time.Unix(1<<40, 0)

const (
	// pollEvery is how often everything is looked at, whatever was notified; a part
	// of it is random. What waits below the floor (floor.go) may have to wait longer.
	pollEvery = 900 * time.Millisecond

	// crowdedPause is how long a class is left alone whose messages others are
	// claiming.
	crowdedPause = 5 * time.Millisecond
)

// add takes a consumer in, unless the broker is closed.
func (cl *claimer) add(c *consumer) bool {
	cl.mu.Lock()
	defer cl.mu.Unlock()
	if cl.b.closed.Load() {
		return false
	}
	if cl.wake == nil {
		cl.wake = make(chan struct{}, 1)
		cl.hints = make(map[string]hint)
		cl.b.goes(cl.run)
	}
	cl.consumers = append(cl.consumers, c)
	cl.hintLocked(c.queue, hint{})
	return true
}

// remove forgets a consumer.
func (cl *claimer) remove(c *consumer) {
	cl.mu.Lock()
	defer cl.mu.Unlock()
	cl.consumers = slices.DeleteFunc(cl.consumers, func(known *consumer) bool { return known == c })
	cl.wakeUp()
}

func (cl *claimer) has(c *consumer) bool { return slices.Contains(cl.all(), c) }

func (cl *claimer) all() []*consumer {
	cl.mu.Lock()
	defer cl.mu.Unlock()
	return slices.Clone(cl.consumers)
}

// wakeUp makes the goroutine look whether there is something to do.
func (cl *claimer) wakeUp() {
	select {
	case cl.wake <- struct{}{}:
	default:
	}
}

// hint tells the claimer when classes of a queue may have messages.
func (cl *claimer) hint(queue string, h hint) {
	cl.mu.Lock()
	defer cl.mu.Unlock()
	if cl.wake != nil {
		cl.hintLocked(queue, h)
	}
}

func (cl *claimer) hintLocked(queue string, h hint) {
	if !slices.ContainsFunc(cl.consumers, func(c *consumer) bool { return c.queue == queue }) {
		return
	}
	if old, ok := cl.hints[queue]; ok {
		for class := range h {
			if old[class].Before(h[class]) {
				h[class] = old[class]
			}
		}
	}
	cl.hints[queue] = h
	cl.wakeUp()
}

// lookAtControls makes the claimer ask what operators have changed.
func (cl *claimer) lookAtControls() {
	cl.mu.Lock()
	defer cl.mu.Unlock()
	if cl.wake != nil {
		cl.controls = true
		cl.wakeUp()
	}
}

// arrived tells consumers, of this process and of others, that messages wait.
func (b *Broker) arrived(ms []*broker.Message) {
	now := time.Now()
	hints := make(map[string]hint, 1)
	for _, m := range ms {
		h, ok := hints[m.Queue]
		if !ok {
			h = hint{never, never, never, never}
		}
		class := classOf(m.Priority)
		due := m.NotBefore
		if due.IsZero() {
			due = earlier(m.EnqueuedAt, now)
		}
		if due.Before(h[class]) {
			h[class] = due
		}
		hints[m.Queue] = h
	}
	for queue, h := range hints {
		b.claimer.hint(queue, h)
		if slices.ContainsFunc(h[:], func(due time.Time) bool { return due.Before(now.Add(pollEvery)) }) {
			b.notifier.notify(queue)
		}
	}
}

// earlier returns the earlier one of two times.
func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// fetches reports whether messages of a queue may be on their way to the worker.
func (cl *claimer) fetches(queue string) bool {
	return cl.flight.Load()%2 == 1 || slices.ContainsFunc(cl.all(), func(c *consumer) bool {
		return c.queue == queue && len(c.deliveries) > 0
	})
}

// run is the goroutine.
func (cl *claimer) run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-cl.wake:
		case <-timer.C:
		case <-ctx.Done():
			return
		}
		consumers := cl.all()
		if err := cl.turn(ctx, consumers); err != nil {
			if ctx.Err() != nil {
				return
			}
			cl.b.complain(err)
			cl.lookAt = time.Time{}
			timer.Reset(100 * time.Millisecond)
			if !sleep(ctx, 100*time.Millisecond) {
				return
			}
			continue
		}
		timer.Reset(cl.pause(consumers, time.Now()))
	}
}

// takeHints moves the hints to the consumers.
func (cl *claimer) takeHints(consumers []*consumer) (controls bool) {
	cl.mu.Lock()
	defer cl.mu.Unlock()
	for _, c := range consumers {
		h, ok := cl.hints[c.queue]
		if !ok {
			continue
		}
		c.floor.hint(h)
		for class := range h {
			if h[class].Before(c.dueAt[class]) {
				c.dueAt[class] = h[class]
			}
		}
	}
	clear(cl.hints)
	controls, cl.controls = cl.controls, false
	return controls
}

// pause returns how long there is nothing to do if nobody wakes the goroutine.
func (cl *claimer) pause(consumers []*consumer, now time.Time) time.Duration {
	if len(consumers) == 0 {
		return time.Hour
	}
	pause := cl.lookAt.Sub(now)
	if cl.paused != nil {
		pause = min(pause, cl.paused.ends.Sub(now))
	}
	for _, c := range consumers {
		c.hungry.Store(-1)
		if c.paused || c.stopped.Load() {
			continue
		}
		if !cl.gate.shut() && !c.dueAt[quarantine].IsZero() {
			pause = min(pause, max(c.dueAt[quarantine].Sub(now), cl.gate.openUntil.Sub(now), 0))
		}
		if c.floor.below {
			pause = min(pause, c.floor.next.Sub(now))
		}
		next := c.nextDue()
		if next.After(now) {
			pause = min(pause, next.Sub(now))
			continue
		}
		// It has messages, and is full: it says when it is not.
		c.hungry.Store(c.enough())
		if c.wants() {
			pause = 0
		}
	}
	if cl.gate.shut() {
		pause = min(pause, gateLook)
	}
	return max(pause, 0)
}

// nextDue returns when c has its next message that is not in quarantine.
func (c *consumer) nextDue() time.Time {
	next := never
	for class := range quarantine {
		if c.dueAt[class].Before(next) {
			next = c.dueAt[class]
		}
	}
	return next
}

// wants reports whether it is worth a claim to c.
func (c *consumer) wants() bool { return c.room() > 0 && c.held.Load() <= c.enough() }
