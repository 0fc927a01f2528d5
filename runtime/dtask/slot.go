package dtask

import (
	"context"
	"log/slog"
	"runtime/pprof"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/internal/inside"
)

// A slot is a goroutine of a worker that handles one delivery after the other.
type slot struct {
	id       int64
	lane     *lane
	consumer broker.Consumer // from which it takes deliveries
	ctx      context.Context // says which slot it is
	current  atomic.Pointer[execution]
	tasks    dispatch // of the worker
}

// An execution is a delivery in a slot. Two may want to settle it: the slot,
// and the worker when the task does not end. Who claims it settles it, and
// owns the message of the delivery.
type execution struct {
	delivery broker.Delivery
	message  Message               // what middleware and the task see: the slot's own
	known    broker.ProcessRunning // for others to read
	waited   time.Duration         // from when it was due until it was started
	deadline time.Time             // after which the task counts as stuck; zero: never
	log      context.Context       // in which its outcome is logged; nil: that of the slot
	claimed  atomic.Bool

	logger  *slog.Logger // of the worker
	records *records     // what the attempt logs; nil: it is not kept

	cancelled atomic.Bool
	context   atomic.Pointer[taskContext] // of the task, while it runs
}

func (e *execution) claim() bool { return e.claimed.CompareAndSwap(false, true) }

// settled says what became of it, for who counts. Its message is as the outcome has
// left it.
func (e *execution) settled(o Outcome, ended time.Time) inside.Settled {
	s := inside.Settled{ProcessRunning: e.known, Waited: e.waited, Ended: ended, Outcome: o.Kind.String()}
	if fs := e.delivery.Message().Failures; len(fs) > 0 && (o.Kind == OutcomeRetried || o.Kind == OutcomeDead) {
		s.Failure = &fs[len(fs)-1]
	}
	return s
}

type slotKey struct{}

// executionOf returns what runs in the slot of ctx. A step of a test has none, and gets
// one that nobody else knows.
func executionOf(ctx context.Context) *execution {
	if e := inSlot(ctx); e != nil {
		return e
	}
	return new(execution)
}

// inSlot returns what runs in the slot of ctx, or nil.
func inSlot(ctx context.Context) *execution {
	if s, ok := ctx.Value(slotKey{}).(*slot); ok {
		return s.current.Load()
	}
	return nil
}

// taskName returns the present name of a task of the worker whose slot is that of ctx.
func taskName(ctx context.Context, task string) (name string, ok bool) {
	if s, slotted := ctx.Value(slotKey{}).(*slot); slotted {
		if b := s.tasks[task]; b != nil {
			return b.Name, true
		}
	}
	return "", false
}

// logContext makes the worker log the outcome of what runs in the slot of ctx in
// another context. Its middleware calls it, in the goroutine of the slot.
func logContext(ctx, other context.Context) {
	if e := inSlot(ctx); e != nil {
		e.log = other
	}
}

var slotIDs atomic.Int64

// slotLabel is the pprof label by which the stack of a slot can be found.
const slotLabel = "dtask_slot"

// closeSlot ends a slot, unless it was replaced.
func (w *Worker) closeSlot(s *slot) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, open := w.slots[s]; open {
		delete(w.slots, s)
		w.slotEnded(s)
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
		w.startSlot(s.lane, s.consumer)
	}
}

func (w *Worker) startSlot(l *lane, c broker.Consumer) {
	s := &slot{id: slotIDs.Add(1), lane: l, consumer: c, tasks: w.tasks}
	s.ctx = context.WithValue(l.ctx, slotKey{}, s)
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
	for d := range s.consumer.Deliveries() {
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
