package sqlite

import (
	"runtime"
	"time"
)

// How fill waits for callers, with the lock in hand.
const (
	yields    = 3                // how often it lets other goroutines run when nothing has come
	longYield = time.Millisecond // if they run for longer, that was the last time
)

// fill executes the inbox and the claims. The callers that the last transaction
// has answered are about to come again: what they bring is executed as it comes,
// in the same transaction. Else they would fall into two groups that wait for
// each other's sync. An error means that the transaction is lost.
func (w *writer) fill(now time.Time) (all inbox, err error) {
	if err := w.liveness.maintain(w, now); err != nil {
		w.complain(err)
		return w.take(), err
	}
	for idle := 0; ; {
		in := w.take()
		all.add(&in)
		if err := w.apply(&in, time.Now()); err != nil {
			return all, err
		}
		if len(all.inserts) >= w.expected || idle == yields {
			if err := w.claim(time.Now()); err != nil {
				w.complain(err)
				return all, err
			}
			return all, nil
		}
		if w.waiting() > 0 {
			continue
		}
		idle++
		paused := time.Now()
		runtime.Gosched()
		if time.Since(paused) > longYield {
			idle = yields
		}
	}
}
