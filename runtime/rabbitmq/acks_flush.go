package rabbitmq

import (
	"slices"
	"time"
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

// run acknowledges what is settled, until the acker is closed.
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

// flush acknowledges what is settled. Unless it is to do so for all, deliveries
// behind a gap wait until they are late. Errors are those of the channel, whose
// deliveries will come again.
func (a *acker) flush(all bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed || a.paused > 0 && !all {
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

// pause stops acknowledging, or goes on when all who have paused go on.
func (a *acker) pause(on bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if on {
		a.paused++
	} else {
		a.paused--
	}
	signal(a.kick)
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
