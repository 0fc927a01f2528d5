package dtask

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"runtime/pprof"
	"strconv"
	"strings"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// stuckAfter is how long after its timeout a task is given up.
const stuckAfter = 10 * time.Second

// watch waits until ctx ends, or the broker gives up, and meanwhile looks for stuck
// tasks. It returns why the broker gave up.
func (w *Worker) watch(ctx context.Context) error {
	var failed <-chan struct{}
	failer, err := broker.As[broker.Failer](w.client.broker)
	if err == nil {
		failed = failer.Failed()
	}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-failed:
			return fmt.Errorf("dtask: the broker has given up: %w", failer.Err())
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
		w.stats.givenUp.Add(1)
		w.log.Error("task ignores its timeout; given up, its goroutine goes on until it returns",
			"task", w.short[m.Task], "id", m.ID, "attempt", m.Attempt, "stack", slotStack(s.id))
		o := decide(s.ctx, m, spec, failuref(broker.FailureTimeout, "timeout after %v, which the task ignores", spec.Timeout), rand.Float64())
		if e.cancelled.Load() {
			o = cancelled(o.Err)
		}
		w.logOutcome(s.ctx, m, o, spec.Timeout+stuckAfter)
		o.apply(m, now)
		w.keepLog(m, e, o.Kind)
		w.settle(e, o)
		w.replaceSlot(s)
	}
}

// handBackRunning hands back the messages of tasks that go on although their
// contexts are cancelled. Another worker will run them.
func (w *Worker) handBackRunning() {
	for _, s := range w.openSlots() {
		if e := s.current.Load(); e != nil && e.claim() {
			m := e.delivery.Message()
			if e.cancelled.Load() {
				w.log.Error("task ignores that it was cancelled, and that the worker stops; it goes on until the process ends",
					"task", w.short[m.Task], "id", m.ID, "stack", slotStack(s.id))
				w.settle(e, cancelled(errStopped))
				continue
			}
			w.log.Error("task ignores its cancelled context; handed back, it will run again while this run goes on",
				"task", w.short[m.Task], "id", m.ID, "stack", slotStack(s.id))
			o := Outcome{Kind: OutcomeHandedBack, Err: errStopped}
			o.apply(m, w.now())
			w.settle(e, o)
		}
	}
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
			return truncate(record, broker.MaxStackSize)
		}
	}
	return ""
}
