package rabbitmq

import (
	"sync"
	"time"
)

const (
	// ackDelay is how long an acknowledgement waits for others, and maxAckBatch
	// how many wait at most.
	ackDelay    = 2 * time.Millisecond
	maxAckBatch = 256
)

// An acker keeps the deliveries of one channel until they are acknowledged, and
// acknowledges them, several at a time.
//
// AMQP can acknowledge all deliveries up to one with a single frame. The acker
// does so for the longest prefix of settled deliveries. Those behind a
// delivery that is still being handled are acknowledged one by one, once they
// have waited in vain for the gap to close.
type acker struct {
	ch *channel

	mu      sync.Mutex
	base    uint64  // the tag of entries[0]
	entries []entry // by tag, without a gap
	held    int     // how many are in state held
	none    chan struct{}
	late    []uint64 // settled when the last flush was made, and not acknowledged by it
	fresh   []uint64 // settled since
	batch   int      // how many wait at most
	paused  bool     // nothing is acknowledged for now
	closed  bool

	kick  chan struct{} // there is something to acknowledge
	full  chan struct{} // and enough of it
	done  chan struct{} // closed by close
	ended chan struct{} // closed when the goroutine has ended
}

// An entry is a delivery that is not acknowledged, or waits for one before it
// that is not.
type entry struct {
	d     *delivery
	state ackState
}

type ackState uint8

const (
	held    ackState = iota // fetched, or in the hands of the worker
	taken                   // being moved
	settled                 // to be acknowledged
	acked
)

// newAcker returns an acker for a channel.
func newAcker(ch *channel) *acker {
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
}

// add adds a delivery, the next one of the channel, in the given state.
func (a *acker) add(d *delivery, s ackState) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.entries = append(a.entries, entry{d, s})
	if s == held {
		a.held++
	}
}

// entry returns the entry of a delivery, or nil if it is acknowledged or given
// up. a.mu is held.
func (a *acker) entry(d *delivery) *entry {
	if d.raw.tag < a.base || a.closed {
		return nil
	}
	return &a.entries[d.raw.tag-a.base]
}

// finish has a delivery acknowledged that is held. Else it does nothing.
func (a *acker) finish(d *delivery) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if e := a.entry(d); e != nil && e.state == held {
		a.release()
		a.settleEntry(e)
	}
}

// take calls then for a delivery that is held and is to be moved, and does
// nothing for others. then must not call the acker.
func (a *acker) take(d *delivery, then func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if e := a.entry(d); e != nil && e.state == held {
		a.release()
		e.state = taken
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

// settle has a delivery acknowledged that was taken.
func (a *acker) settle(d *delivery) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if e := a.entry(d); e != nil && e.state == taken {
		a.settleEntry(e)
	}
}

func (a *acker) settleEntry(e *entry) {
	e.state = settled
	a.fresh = append(a.fresh, e.d.raw.tag)
	signal(a.kick)
	if len(a.fresh) >= a.batch {
		signal(a.full)
	}
}

// reject has RabbitMQ move a delivery to the dead letters that was taken.
func (a *acker) reject(d *delivery) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if e := a.entry(d); e != nil && e.state == taken {
		a.acknowledged(e)
		a.ch.reject(d.raw.tag)
	}
}

func (a *acker) acknowledged(e *entry) {
	e.state = acked
	e.d.from.acked++
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
		a.ch.ack(last, true)
	}
	a.single(a.late)
	if all {
		a.single(a.fresh)
		a.late, a.fresh = a.late[:0], a.fresh[:0]
		return
	}
	late := a.late[:0]
	for _, tag := range a.fresh {
		if tag >= a.base {
			late = append(late, tag)
		}
	}
	a.late, a.fresh = late, a.fresh[:0]
	if len(late) > 0 {
		signal(a.kick)
	}
}

// single acknowledges deliveries one by one.
func (a *acker) single(tags []uint64) {
	for _, tag := range tags {
		if tag < a.base {
			continue
		}
		if e := &a.entries[tag-a.base]; e.state == settled {
			a.acknowledged(e)
			a.ch.ack(tag, false)
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
