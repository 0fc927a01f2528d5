package wire

import (
	"context"
	"sync"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// An Outcome is what became of a published message.
type Outcome int

// The outcomes.
const (
	Confirmed  Outcome = iota + 1 // durable
	Unroutable                    // no queue wants it
	Refused                       // by the queue
	Lost                          // nobody knows: the channel is over
)

// A Confirmation tells the outcome of one published message.
type Confirmation struct {
	done     chan Outcome // has room for it
	id, key  string       // by which a returned message is known
	exchange string
	size     int // of the body
	returned bool
}

var confirmations = sync.Pool{New: func() any { return &Confirmation{done: make(chan Outcome, 1)} }}

func newConfirmation(exchange, key, id string, size int) *Confirmation {
	c := confirmations.Get().(*Confirmation)
	c.exchange, c.key, c.id, c.size, c.returned = exchange, key, id, size, false
	return c
}

// Wait waits for the outcome, which is Lost if ctx ends first. It is called
// once.
func (c *Confirmation) Wait(ctx context.Context) Outcome {
	first, second := broker.Ends(ctx)
	select {
	case o := <-c.done:
		c.exchange, c.key, c.id = "", "", ""
		confirmations.Put(c)
		return o
	case <-first:
	case <-second:
	}
	return Lost
}
