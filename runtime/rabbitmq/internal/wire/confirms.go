package wire

import (
	"cmp"
	"fmt"
	"sync"
)

// confirms are the messages that were published on a channel and are not
// confirmed yet.
//
// RabbitMQ returns a message that no queue wants before it confirms it. Both are
// read by one goroutine, so it is known of every confirmed message whether it
// was returned.
type confirms struct {
	resolved func(size int) // called for each whose outcome is known; may be nil

	mu          sync.Mutex
	first       uint64          // the tag of outstanding[0]
	outstanding []*Confirmation // by tag; nil for one that was confirmed before its turn
	over        bool

	done []*Confirmation // reused by the goroutine that reads
}

// add adds a message, under the next tag. It returns how many there are, or 0
// if the channel is over. cs.mu is held.
func (cs *confirms) add(c *Confirmation) int {
	if cs.over {
		return 0
	}
	cs.outstanding = append(cs.outstanding, c)
	return len(cs.outstanding)
}

// confirm takes a confirm, which is of one message or of all up to it.
func (cs *confirms) confirm(ok bool, arguments string) error {
	r := reader{rest: arguments}
	tag, multiple := r.uint(8), r.octet()&1 != 0
	if !r.ok() {
		return errFrame
	}
	done, err := cs.pop(tag, multiple)
	for _, c := range done { // without the lock, which those who wait want next
		switch {
		case !ok:
			cs.resolve(c, Refused)
		case c.returned:
			cs.resolve(c, Unroutable)
		default:
			cs.resolve(c, Confirmed)
		}
	}
	clear(done)
	return err
}

// pop takes messages that are confirmed off the outstanding ones.
func (cs *confirms) pop(tag uint64, multiple bool) ([]*Confirmation, error) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if cs.over {
		return nil, nil
	}
	n := uint64(len(cs.outstanding))
	if tag == 0 && multiple {
		tag = cs.first + n - 1 // all there are
	}
	if tag < cs.first || tag >= cs.first+n {
		return nil, fmt.Errorf("RabbitMQ confirms message %d, which is not outstanding", tag)
	}
	last := int(tag - cs.first)
	first := last
	if multiple {
		first = 0
	}
	done := cs.done[:0]
	for i, c := range cs.outstanding[first : last+1] {
		if c != nil {
			done = append(done, c)
			cs.outstanding[first+i] = nil
		}
	}
	cs.done = done
	confirmed := 0 // all before it are
	for confirmed < len(cs.outstanding) && cs.outstanding[confirmed] == nil {
		confirmed++
	}
	cs.first += uint64(confirmed)
	cs.outstanding = cs.outstanding[confirmed:]
	return done, nil
}

// markReturned notes that a message was returned.
func (cs *confirms) markReturned(id, key string) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	for _, c := range cs.outstanding {
		if c != nil && !c.returned && c.id == id && c.key == key {
			c.returned = true
			return
		}
	}
}

// oldest is Oldest with cs.mu held.
func (cs *confirms) oldest() (tag uint64, queue string) {
	if len(cs.outstanding) == 0 {
		return 0, ""
	}
	oldest := cs.outstanding[0]
	// The exchange of a level of delay has the name of its queue.
	return cs.first, cmp.Or(oldest.exchange, oldest.key)
}

// end resolves all that is outstanding: it is lost.
func (cs *confirms) end() {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	cs.over = true
	for _, c := range cs.outstanding {
		if c != nil {
			cs.resolve(c, Lost)
		}
	}
	cs.outstanding = nil
}

func (cs *confirms) resolve(c *Confirmation, o Outcome) {
	if cs.resolved != nil {
		cs.resolved(c.size)
	}
	c.done <- o
}
