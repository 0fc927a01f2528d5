package dtask

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"runtime/pprof"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// A slot is a goroutine of a worker that handles one delivery after the other.
type slot struct {
	id         int64
	parent     context.Context
	ctx        context.Context // parent, and which slot it is
	deliveries <-chan Delivery
	current    atomic.Pointer[execution]
}

// An execution is a delivery in a slot. Two may want to settle it: the slot,
// and the worker when the task does not end. Who claims it settles it, and
// owns the message of the delivery.
type execution struct {
	delivery Delivery
	message  Message   // what middleware and the task see: the slot's own
	deadline time.Time // after which the task counts as stuck; zero: never
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
func (w *Worker) openSlot(ctx context.Context, deliveries <-chan Delivery) {
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

func (w *Worker) startSlot(ctx context.Context, deliveries <-chan Delivery) {
	s := &slot{id: slotIDs.Add(1), parent: ctx, deliveries: deliveries}
	s.ctx = context.WithValue(ctx, slotKey{}, s)
	w.slots[s] = struct{}{}
	go w.runSlot(s)
}

// runSlot handles deliveries until there are no more, or until the slot was
// given up in the middle of one.
func (w *Worker) runSlot(s *slot) {
	pprof.SetGoroutineLabels(pprof.WithLabels(s.ctx, pprof.Labels(slotLabel, strconv.FormatInt(s.id, 10))))
	exited := true // what a task that calls runtime.Goexit does to this goroutine
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

// watch waits until ctx ends, and meanwhile looks for stuck tasks.
func (w *Worker) watch(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			w.giveUpStuck()
		}
	}
}

// giveUpStuck settles, as failed attempts, the tasks that ignore the end of
// their timeouts, and opens new slots in the place of theirs. The goroutine of
// such a task cannot be ended: it goes on until the function returns.
func (w *Worker) giveUpStuck() {
	now := w.now()
	for _, s := range w.openSlots() {
		e := s.current.Load()
		if e == nil || e.deadline.IsZero() || now.Before(e.deadline) || !e.claim() {
			continue
		}
		m := e.delivery.Message()
		spec := w.tasks[m.Task].Spec
		w.stats.stuck.Add(1)
		w.log.Error("task ignores its timeout; given up, its goroutine goes on until it returns",
			"task", m.Task, "id", m.ID, "attempt", m.Attempt, "stack", slotStack(s.id))
		o := decide(s.ctx, m, spec, failuref(FailureTimeout, "timeout after %v, which the task ignores", spec.Timeout), rand.Float64())
		logOutcome(s.ctx, w.log, m, o, spec.Timeout+stuckAfter)
		w.settle(e.delivery, o)
		w.replaceSlot(s)
	}
}

// handBackRunning settles the executions that go on although their contexts
// are cancelled, for another worker to run them.
func (w *Worker) handBackRunning() {
	for _, s := range w.openSlots() {
		if e := s.current.Load(); e != nil && e.claim() {
			m := e.delivery.Message()
			w.log.Error("task ignores its cancelled context; handed back, it will run again while this run goes on",
				"task", m.Task, "id", m.ID, "stack", slotStack(s.id))
			w.settle(e.delivery, Outcome{Kind: Interrupted, Err: errStopped})
		}
	}
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

// slotStack returns the stack of a slot's goroutine, from the goroutine
// profile, which shows labels.
func slotStack(id int64) string {
	var profile bytes.Buffer
	pprof.Lookup("goroutine").WriteTo(&profile, 1)
	label := fmt.Sprintf("%q:%q", slotLabel, strconv.FormatInt(id, 10))
	for record := range strings.SplitSeq(profile.String(), "\n\n") {
		// Goroutines that the task started have the label too.
		if strings.Contains(record, label) && strings.Contains(record, ".(*Worker).runSlot") {
			return truncate(record, MaxStackSize)
		}
	}
	return ""
}
