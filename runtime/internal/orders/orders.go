// Package orders passes the orders of operators on to the processes that listen for
// them (broker.Commander).
package orders

import (
	"context"
	"sync"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// most is how many orders wait for a process that is slow to obey.
const most = 100

// Listeners are the processes that a broker listens for: one, but in tests. The zero
// value has none.
type Listeners struct {
	mu sync.Mutex
	of map[string]*listener // by process
}

type listener struct {
	orders chan broker.Order
	last   int64 // the number of the newest one
}

// Enter has obey called for every order to a process, one at a time, until ctx ends.
func (l *Listeners) Enter(ctx context.Context, process string, obey func(broker.Order)) {
	one := &listener{orders: make(chan broker.Order, most)}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.of == nil {
		l.of = make(map[string]*listener)
	}
	l.of[process] = one
	go func() {
		for {
			select {
			case o := <-one.orders:
				obey(o)
			case <-ctx.Done():
				l.mu.Lock()
				defer l.mu.Unlock()
				if l.of[process] == one {
					delete(l.of, process)
				}
				return
			}
		}
	}()
}

// Any reports whether there is a listener.
func (l *Listeners) Any() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.of) > 0
}

// Pass passes on an order, if its process listens. Its number is greater than those of
// the orders before it: what is passed again has no effect. One that is not valid is of
// a newer build, and left out.
func (l *Listeners) Pass(process string, number int64, o broker.Order) {
	if o.Validate() != nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	one := l.of[process]
	if one == nil || number <= one.last {
		return
	}
	one.last = number
	select {
	case one.orders <- o:
	default: // it has enough to do; the operator sees that it was not obeyed
	}
}
