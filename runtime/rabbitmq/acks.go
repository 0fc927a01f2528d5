package rabbitmq

import (
	"sync"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/wire"
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
	base    uint64        // the tag of entries[0]
	entries []entry       // by tag, without a gap
	held    int           // how many are in state held
	none    chan struct{} // if not nil: closed once nothing is held
	fresh   []uint64      // settled, and not acknowledged by a range
	late    []uint64      // those that have been for up to gapDelay
	aged    time.Time     // when late was filled
	batch   int           // how many wait at most

	executed []finished // the last messages that were; at least as many as prefetch
	prefetch int        // of all fetchers together, at its largest

	paused int // by how many: while there are any, nothing is acknowledged
	closed bool

	kick  chan struct{} // there is something to acknowledge
	full  chan struct{} // and enough of it
	done  chan struct{} // closed by close
	ended chan struct{} // closed when the goroutine has ended
}

// An entry is a delivery that is not acknowledged, or that has one before it
// that is not.
type entry struct {
	d     *delivery
	from  *fetcher
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

// finish has a delivery acknowledged that is held and was executed. It returns
// false if the channel is over.
func (a *acker) finish(d *delivery, f finished) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if e := a.entry(d); e != nil && e.state == held {
		a.release()
		a.settleEntry(e)
		a.remember(f)
	}
	return !a.closed
}

// remember keeps the last messages that were executed. a.mu is held.
func (a *acker) remember(f finished) {
	a.executed = append(a.executed, f)
	if n := len(a.executed) - a.prefetch; n > a.prefetch {
		a.executed = append(a.executed[:0], a.executed[n:]...)
	}
}

// claim makes a delivery that is held one that is being moved, and calls then;
// for any other it does nothing. then must not call the acker. It returns false if
// the channel is over.
func (a *acker) claim(d *delivery, then func()) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if e := a.entry(d); e != nil && e.state == held {
		a.release()
		e.state = claimed
		then()
	}
	return !a.closed
}

// release counts one less that is held.
func (a *acker) release() {
	if a.held--; a.held == 0 && a.none != nil {
		close(a.none)
		a.none = nil
	}
}

// settle has a claimed delivery acknowledged.
func (a *acker) settle(d *delivery) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if e := a.entry(d); e != nil && e.state == claimed {
		a.settleEntry(e)
		if d.outcome.Verdict == broker.Done {
			a.remember(finished{d.receipt.of(d.body), d.outcome.Outcome})
		}
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

// reject has RabbitMQ move a claimed delivery to the dead letters.
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

// unacked returns how many deliveries of a fetcher are not acknowledged.
func (a *acker) unacked(f *fetcher) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return f.received - f.acked
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

// empty reports whether all deliveries are acknowledged.
func (a *acker) empty() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.entries) == 0
}
