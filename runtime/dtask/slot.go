package dtask

import (
	"context"
	"runtime/pprof"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// A slot is a goroutine of a worker that handles one delivery after the other.
type slot struct {
	id         int64
	parent     context.Context
	ctx        context.Context // parent, and which slot it is
	deliveries <-chan broker.Delivery
	current    atomic.Pointer[execution]
}

// An execution is a delivery in a slot. Two may want to settle it: the slot,
// and the worker when the task does not end. Who claims it settles it, and
// owns the message of the delivery.
type execution struct {
	delivery broker.Delivery
	message  Message               // what middleware and the task see: the slot's own
	known    broker.ProcessRunning // for others to read
	deadline time.Time             // after which the task counts as stuck; zero: never
	claimed  atomic.Bool
}

func (e *execution) claim() bool { return e.claimed.CompareAndSwap(false, true) }

type slotKey struct{}

// givenUp reports whether the worker has settled, and so given up, what runs
// in the slot of ctx.
func givenUp(ctx context.Context) bool {
	s, ok := ctx.Value(slotKey{}).(*slot)
	if !ok {
		return false // a step of a test
	}
	e := s.current.Load()
	return e != nil && e.claimed.Load()
}

var slotIDs atomic.Int64

// slotLabel is the pprof label by which the stack of a slot can be found.
const slotLabel = "dtask_slot"

// openSlot starts a slot.
func (w *Worker) openSlot(ctx context.Context, deliveries <-chan broker.Delivery) {
	w.occupied.Add(1)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.startSlot(ctx, deliveries)
}

// closeSlot ends a slot, unless it was replaced.
func (w *Worker) closeSlot(s *slot) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, open := w.slots[s]; open {
		delete(w.slots, s)
		w.occupied.Done()
	}
}

// replaceSlot puts a new slot in the place of one whose goroutine is lost,
// unless that was done already.
func (w *Worker) replaceSlot(s *slot) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, open := w.slots[s]; open {
		delete(w.slots, s)
		w.startSlot(s.parent, s.deliveries)
	}
}

func (w *Worker) startSlot(ctx context.Context, deliveries <-chan broker.Delivery) {
	s := &slot{id: slotIDs.Add(1), parent: ctx, deliveries: deliveries}
	s.ctx = context.WithValue(ctx, slotKey{}, s)
	w.slots[s] = struct{}{}
	go w.runSlot(s)
}

// runSlot handles deliveries until there are no more, or until the slot was
// given up in the middle of one.
func (w *Worker) runSlot(s *slot) {
	pprof.SetGoroutineLabels(pprof.WithLabels(s.ctx, pprof.Labels(slotLabel, strconv.FormatInt(s.id, 10))))
	exited := true // stays so if a task calls runtime.Goexit
	defer func() {
		if exited {
			w.replaceSlot(s)
		} else {
			w.closeSlot(s)
		}
	}()
	for d := range s.deliveries {
		if !w.process(s, d) {
			break
		}
	}
	exited = false
}

func (w *Worker) openSlots() []*slot {
	w.mu.Lock()
	defer w.mu.Unlock()
	open := make([]*slot, 0, len(w.slots))
	for s := range w.slots {
		open = append(open, s)
	}
	return open
}
