package rabbitmq

import (
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

const (
	// ackDelay is how long an acknowledgement waits for others, and maxAckBatch
	// how many wait at most.
	ackDelay    = 2 * time.Millisecond
	maxAckBatch = 256
)

// An acker acknowledges the deliveries of one channel, several at a time.
//
// AMQP can acknowledge all deliveries up to one with a single frame. The acker
// does so for the longest prefix of settled deliveries. Those behind a
// delivery that is still being handled are acknowledged one by one, once they
// have waited in vain for the gap to close.
type acker struct {
	ch *amqp.Channel

	mu     sync.Mutex
	base   uint64     // the tag of states[0]
	states []ackState // of deliveries, by tag
	late   []uint64   // settled when the last flush was made, and not acknowledged by it
	fresh  []uint64   // settled since
	batch  int        // how many wait at most
	held   bool       // nothing is acknowledged for now
	closed bool

	kick  chan struct{} // there is something to acknowledge
	full  chan struct{} // and enough of it
	done  chan struct{} // closed by close
	ended chan struct{} // closed when the goroutine has ended
}

type ackState uint8

const (
	unsettled ackState = iota
	settled
	acked
)

// newAcker returns an acker for a channel whose consumers have the given
// prefetch: acknowledgements wait for so many that messages keep coming.
func newAcker(ch *amqp.Channel, prefetch int) *acker {
	a := &acker{
		ch:    ch,
		base:  1, // RabbitMQ counts from 1 in every channel
		batch: max(1, min(prefetch/4, maxAckBatch)),
		kick:  make(chan struct{}, 1),
		full:  make(chan struct{}, 1),
		done:  make(chan struct{}),
		ended: make(chan struct{}),
	}
	go a.run()
	return a
}

// settle has the delivery with the given tag acknowledged soon.
func (a *acker) settle(tag uint64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if tag < a.base || a.closed {
		return
	}
	i := int(tag - a.base)
	for len(a.states) <= i {
		a.states = append(a.states, unsettled)
	}
	a.states[i] = settled
	a.fresh = append(a.fresh, tag)
	signal(a.kick)
	if len(a.fresh) >= a.batch {
		signal(a.full)
	}
}

// reject has RabbitMQ move the delivery with the given tag to the dead letters.
func (a *acker) reject(tag uint64) {
	a.settle(tag)
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.closed && tag >= a.base && a.states[tag-a.base] == settled {
		a.states[tag-a.base] = acked
		a.ch.Reject(tag, false)
	}
}

// hold stops acknowledging, or goes on.
func (a *acker) hold(on bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.held = on
	if !on {
		signal(a.kick)
	}
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
	if a.held && !all {
		return
	}
	var last uint64 // RabbitMQ knows no tag that was acknowledged already
	n := 0
	for n < len(a.states) && a.states[n] != unsettled {
		if a.states[n] == settled {
			last = a.base + uint64(n)
		}
		n++
	}
	a.base += uint64(n)
	a.states = a.states[n:]
	if last > 0 {
		a.ch.Ack(last, true)
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
		if tag >= a.base && a.states[tag-a.base] == settled {
			a.states[tag-a.base] = acked
			a.ch.Ack(tag, false)
		}
	}
}

// close acknowledges everything that is settled, and no more from then on. It
// reports whether anything was acknowledged in the life of the channel.
func (a *acker) close() (used bool) {
	a.mu.Lock()
	first := !a.closed
	a.closed = true
	a.mu.Unlock()
	if first {
		close(a.done)
		a.flush(true)
	}
	<-a.ended
	return a.base > 1
}
