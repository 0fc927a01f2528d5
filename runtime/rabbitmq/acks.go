package rabbitmq

import (
	"slices"
	"sync"
	"time"

	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/wire"
)

const (
	// ackDelay is how long an acknowledgement waits for others, and maxAckBatch
	// how many wait at most.
	ackDelay    = 2 * time.Millisecond
	maxAckBatch = 256

	// gapDelay is how long settled deliveries wait for one before them, unless
	// they are so many that RabbitMQ might have to wait. On a busy machine the
	// gap is often of a task that is about to end, and a range costs as little
	// as one delivery.
	gapDelay = 10 * time.Millisecond
)

// An acker keeps the deliveries of one channel until they are acknowledged, and
// acknowledges them, several at a time.
//
// AMQP can acknowledge all deliveries up to one with a single frame. The acker
// does so for the longest prefix of settled deliveries. Those behind a
// delivery that is still being handled are acknowledged one by one, once they
// have waited in vain for the gap to close (gapDelay).
type acker struct {
	ch *wire.Channel

	mu      sync.Mutex
	base    uint64  // the tag of entries[0]
	entries []entry // by tag, without a gap
	held    int     // how many are in state held
	none    chan struct{}
	fresh   []uint64  // settled, and not acknowledged by a range
	late    []uint64  // those that have been for up to gapDelay
	aged    time.Time // when late was filled
	batch   int       // how many wait at most

	executed []receipt // the last ones; at least as many as prefetch
	prefetch int       // of all consumers together, at its largest

	paused bool // nothing is acknowledged for now
	closed bool

	kick  chan struct{} // there is something to acknowledge
	full  chan struct{} // and enough of it
	done  chan struct{} // closed by close
	ended chan struct{} // closed when the goroutine has ended
}

// An entry is a delivery that is not acknowledged, or waits for one before it
// that is not.
type entry struct {
	d     *delivery
	from  *prefetching
	tag   uint64
	state ackState
}

type ackState uint8

const (
	held    ackState = iota // fetched, or in the hands of the worker
	claimed                 // being moved
	settled                 // to be acknowledged
	acked
)

// newAcker returns an acker for a channel.
func newAcker(ch *wire.Channel) *acker {
	a := &acker{
		ch:    ch,
		base:  1, // RabbitMQ counts from 1 in every channel
		batch: 1,
		kick:  make(chan struct{}, 1),
		full:  make(chan struct{}, 1),
		done:  make(chan struct{}),
		ended: make(chan struct{}),
	}
	go a.run()
	return a
}

// expect says what the prefetch is: acknowledgements wait for each other, but
// only for so many that messages keep coming.
func (a *acker) expect(prefetch int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.batch = max(1, min(prefetch/4, maxAckBatch))
	a.prefetch = max(a.prefetch, len(consumed)*prefetch)
}

// add adds a delivery, the next one of the channel, in the given state.
func (a *acker) add(d *delivery, s ackState) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.entries = append(a.entries, entry{d, d.from, d.raw.Tag, s})
	if s == held {
		a.held++
	}
}

// entry returns the entry of a delivery, or nil if it is acknowledged or given
// up. a.mu is held.
func (a *acker) entry(d *delivery) *entry {
	if d.raw.Tag < a.base || a.closed {
		return nil
	}
	return &a.entries[d.raw.Tag-a.base]
}

// finish has a delivery acknowledged that is held and was executed, of which r is
// the receipt. It returns false if it is too late for that.
func (a *acker) finish(d *delivery, r receipt) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if e := a.entry(d); e != nil && e.state == held {
		a.release()
		a.settleEntry(e)
		a.executed = append(a.executed, r)
		if n := len(a.executed) - a.prefetch; n > a.prefetch {
			a.executed = append(a.executed[:0], a.executed[n:]...)
		}
	}
	return !a.closed
}

// doubtful returns what was executed of which RabbitMQ may not have the
// acknowledgement: no more than it has delivered without one.
func (a *acker) doubtful() []receipt {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.executed[max(0, len(a.executed)-a.prefetch):])
}

// claim calls then for a delivery that is held and is to be moved, and does
// nothing for others. then must not call the acker.
func (a *acker) claim(d *delivery, then func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if e := a.entry(d); e != nil && e.state == held {
		a.release()
		e.state = claimed
		then()
	}
}

// release counts one less that is held.
func (a *acker) release() {
	if a.held--; a.held == 0 && a.none != nil {
		close(a.none)
		a.none = nil
	}
}

// settle has a delivery acknowledged that was claimed.
func (a *acker) settle(d *delivery) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if e := a.entry(d); e != nil && e.state == claimed {
		a.settleEntry(e)
	}
}

func (a *acker) settleEntry(e *entry) {
	e.state = settled
	e.d = nil // which may be large, and have long to wait
	a.fresh = append(a.fresh, e.tag)
	signal(a.kick)
	if len(a.fresh) >= a.batch {
		signal(a.full)
	}
}

// reject has RabbitMQ move a delivery to the dead letters that was claimed.
func (a *acker) reject(d *delivery) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if e := a.entry(d); e != nil && e.state == claimed {
		e.d = nil
		a.acknowledged(e)
		a.ch.Reject(d.raw.Tag)
	}
}

func (a *acker) acknowledged(e *entry) {
	e.state = acked
	e.from.acked++
}

// unacked returns how many deliveries of a consumer are not acknowledged.
func (a *acker) unacked(c *prefetching) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return c.received - c.acked
}

// idle returns a channel that is closed once nothing is held.
func (a *acker) idle() <-chan struct{} {
	a.mu.Lock()
	defer a.mu.Unlock()
	none := make(chan struct{})
	if a.held == 0 {
		close(none)
	} else {
		a.none = none
	}
	return none
}

// heldDeliveries returns what is held.
func (a *acker) heldDeliveries() (ds []*delivery) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, e := range a.entries {
		if e.state == held {
			ds = append(ds, e.d)
		}
	}
	return ds
}

// toRenew returns what has been held since before t, and is not being renewed. It
// is from then on.
func (a *acker) toRenew(t, now time.Time) (ds []*delivery) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, e := range a.entries {
		if e.state != held {
			continue
		}
		if !e.d.since.Before(t) {
			break // as are all that came later
		}
		if !e.d.renewing && !now.Before(e.d.again) {
			e.d.renewing = true
			ds = append(ds, e.d)
		}
	}
	return ds
}

// renewAgain notes that a delivery could not be renewed, and when to try again.
func (a *acker) renewAgain(d *delivery, at time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	d.renewing, d.again = false, at
}

// renew has the delivery d acknowledged and its copy held in its place. If d is
// settled, or nil, the copy is acknowledged.
func (a *acker) renew(d, c *delivery) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if d != nil {
		if e := a.entry(d); e != nil && e.state == held {
			a.settleEntry(e)
			d.raw, d.since, d.renewing = c.raw, c.since, false
			a.entries = append(a.entries, entry{d, c.from, c.raw.Tag, held})
			return
		}
	}
	a.entries = append(a.entries, entry{c, c.from, c.raw.Tag, claimed})
	a.settleEntry(&a.entries[len(a.entries)-1])
}

// empty reports whether all deliveries are acknowledged.
func (a *acker) empty() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.entries) == 0
}

// pause stops acknowledging, or goes on.
func (a *acker) pause(on bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.paused = on
	signal(a.kick)
}

func signal(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}

func (a *acker) run() {
	defer close(a.ended)
	wait := time.NewTimer(ackDelay)
	defer wait.Stop()
	for {
		select {
		case <-a.kick:
		case <-a.done:
			return
		}
		wait.Reset(ackDelay)
		select {
		case <-a.full:
		case <-wait.C:
		case <-a.done:
			return
		}
		a.flush(false)
	}
}

// flush acknowledges what is settled; all of it if told so, else all but the
// stragglers that are not late yet. Errors are those of the channel, whose
// deliveries will come again.
func (a *acker) flush(all bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed || a.paused && !all {
		return
	}
	var last uint64 // RabbitMQ knows no tag that was acknowledged already
	n := 0
	for n < len(a.entries) && a.entries[n].state >= settled {
		if e := &a.entries[n]; e.state == settled {
			last = a.base + uint64(n)
			a.acknowledged(e)
		}
		n++
	}
	clear(a.entries[:n])
	a.base += uint64(n)
	a.entries = a.entries[n:]
	if last > 0 {
		a.ch.Ack(last, true)
	}
	a.late, a.fresh = a.beyond(a.late), a.beyond(a.fresh)
	now := time.Now()
	switch crowded := len(a.late)+len(a.fresh) > 2*a.batch; {
	case all || crowded:
		a.single(a.late)
		a.single(a.fresh)
		a.late, a.fresh = a.late[:0], a.fresh[:0]
	case now.Sub(a.aged) >= gapDelay:
		a.single(a.late)
		a.late, a.fresh = a.fresh, a.late[:0]
		a.aged = now
	}
	if len(a.late)+len(a.fresh) > 0 {
		signal(a.kick)
	}
}

// beyond returns those of the tags that no range has acknowledged.
func (a *acker) beyond(tags []uint64) []uint64 {
	return slices.DeleteFunc(tags, func(tag uint64) bool { return tag < a.base })
}

// single acknowledges deliveries one by one.
func (a *acker) single(tags []uint64) {
	for _, tag := range tags {
		if tag < a.base {
			continue
		}
		if e := &a.entries[tag-a.base]; e.state == settled {
			a.acknowledged(e)
			a.ch.Ack(tag, false)
		}
	}
}

// close acknowledges everything that is settled, and no more from then on.
func (a *acker) close() {
	a.flush(true)
	a.mu.Lock()
	if !a.closed {
		a.closed = true
		close(a.done)
	}
	a.mu.Unlock()
	<-a.ended
}
