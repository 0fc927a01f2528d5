package dtask

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// process handles a delivery and settles it. It returns false if the slot was
// given up meanwhile.
func (w *Worker) process(s *slot, d broker.Delivery) (open bool) {
	e := &execution{delivery: d, message: *d.Message(), logger: w.log}
	if w.config.KeepLogs {
		e.records = new(records)
	}
	e.known = broker.ProcessRunning{ID: e.message.ID, Task: e.message.Task, Queue: e.message.Queue, Attempt: e.message.Attempt, Since: w.now()}
	e.waited = e.known.Since.Sub(dueSince(&e.message))
	h := w.tasks[e.message.Task]
	if h != nil && h.Spec.Timeout > 0 {
		e.deadline = e.known.Since.Add(h.Spec.Timeout + stuckAfter)
	}
	s.current.Store(e)
	if d.Cancelled() { // from now on cancel finds it
		e.cancelled.Store(true)
	}
	var o Outcome
	defer func() {
		s.current.Store(nil)
		if !e.claim() {
			return
		}
		if o.Kind == 0 { // what ran neither returned nor panicked
			o = w.fail(s.ctx, e, failuref(broker.FailurePanic, "the task, or middleware, called runtime.Goexit"))
		}
		*d.Message() = e.message
		w.settle(e, o)
		open = true
	}()
	o = w.outcome(s.ctx, e)
	return
}

// outcome handles a delivery and applies the outcome to its message. Whatever of
// the user's code panics, be it middleware or a method of an error, the attempt
// has failed.
func (w *Worker) outcome(ctx context.Context, e *execution) (o Outcome) {
	defer func() {
		if v := recover(); v != nil {
			o = w.fail(ctx, e, &failureError{
				kind:  broker.FailurePanic,
				err:   fmt.Errorf("panic: %v", v),
				stack: string(debug.Stack()),
			})
		}
	}()
	o = w.handle(ctx, &e.message)
	o, err := checkOutcome(ctx, e, o)
	if err != nil {
		return w.fail(ctx, e, err)
	}
	w.apply(e, o)
	return o
}

// fail returns the outcome of an attempt that failed outside of its function. err
// leads to no code of the user's, and the message is the one that was delivered,
// as middleware may have changed the slot's own.
func (w *Worker) fail(ctx context.Context, e *execution, err error) Outcome {
	e.message = *e.delivery.Message()
	var spec Spec
	if h := w.tasks[e.message.Task]; h != nil {
		spec = h.Spec
	}
	o := decide(ctx, &e.message, spec, err, rand.Float64())
	if e.cancelled.Load() {
		o = cancelled(err)
	}
	w.logOutcome(ctx, &e.message, o, 0)
	w.apply(e, o)
	return o
}

// apply changes the slot's message as the outcome demands.
func (w *Worker) apply(e *execution, o Outcome) {
	var now time.Time
	if o.Kind != OutcomeDone { // done needs no time, and reading the clock costs some
		now = w.now()
	}
	o.apply(&e.message, now)
	w.keepLog(&e.message, e, o.Kind)
}

// leastPause is the least time until a message is delivered again that costs no
// attempt: without one it would go round and round.
const leastPause = time.Second

// checkOutcome returns an outcome that middleware has passed on, with its pause
// bounded, or an error if it is none.
func checkOutcome(ctx context.Context, e *execution, o Outcome) (Outcome, error) {
	switch {
	case o.Kind < OutcomeDone || o.Kind > OutcomeGivenUp || o.Kind == OutcomeGivenUp && !e.claimed.Load():
		return o, failuref(broker.FailureError, "middleware returned %v, which is no outcome; return what next returns", o.Kind)
	case o.Kind == OutcomeSnoozed, o.Kind == OutcomeHandedBack && context.Cause(ctx) != errStopped:
		o.In = max(o.In, leastPause)
	case o.Kind == OutcomeRetried && e.message.Attempt >= e.message.Attempts:
		o.Kind = OutcomeDead
	}
	return o, nil
}

// attempt is the innermost [HandleFunc]: it runs the task, if there is one and
// its time has not passed.
func (w *Worker) attempt(ctx context.Context, m *Message) Outcome {
	h, e := w.tasks[m.Task], executionOf(ctx)
	switch {
	case e.cancelled.Load():
		return cancelled(ErrCancelled)
	case !m.Expires.IsZero() && w.now().After(m.Expires):
		return Outcome{Kind: OutcomeDead, Err: failuref(broker.FailureExpired, "expired at %s, before a worker was free", m.Expires.UTC().Format(time.RFC3339))}
	case m.Attempt > m.Attempts:
		m.Attempt = m.Attempts
		return Outcome{Kind: OutcomeDead, Err: failuref(broker.FailureCrash, "the worker died during the last attempt")}
	case h == nil:
		return w.unknownTo(m, w.noTask(m))
	}
	result, err := run(ctx, e, w.client, h, m)
	switch {
	case e.claimed.Load():
		return Outcome{Kind: OutcomeGivenUp, Err: cmp.Or(err, errGivenUp)}
	case err != nil && e.cancelled.Load():
		return cancelled(err)
	case isForeign(err):
		return w.unknownTo(m, err)
	}
	o := decide(ctx, m, h.Spec, err, rand.Float64())
	if o.Kind == OutcomeSnoozed && o.In < leastPause {
		w.snoozed.Do(func() {
			w.log.Warn("a task snoozes for less than the least pause; it is run again after that; logged once",
				"task", w.short[m.Task], "snooze", o.In, "least", leastPause)
		})
		o.In = leastPause
	}
	o.Result = result
	return o
}

// run makes one attempt: it decodes the arguments and calls the function, within
// its timeout. A panic becomes an error.
func run(ctx context.Context, e *execution, c *Client, h *BoundTask, m *Message) (result []byte, err error) {
	tctx := newTaskContext(ctx, c, infoOf(m), h.Spec.Timeout)
	defer tctx.end()
	tctx.log, tctx.records = e.logger, e.records
	e.begin(tctx)
	defer func() {
		if v := recover(); v != nil {
			result, err = nil, &PanicError{Value: v, Stack: string(debug.Stack())}
		}
		err = h.Spec.withoutSecretsIn(err, m)
	}()
	result, err = h.run(tctx, m)
	if err != nil && errors.Is(err, context.DeadlineExceeded) && errors.Is(tctx.Err(), context.DeadlineExceeded) {
		err = failuref(broker.FailureTimeout, "timeout after %v: %w", h.Spec.Timeout, err)
	}
	return result, err
}

// unknownTo returns the outcome of a message that only another build can run: it
// is handed back with a growing delay, and after KeepUnknown it is dead.
func (w *Worker) unknownTo(m *Message, reason error) Outcome {
	if m.HandedBack > 0 {
		if kept := w.now().Sub(m.HandedBackSince); kept >= w.config.KeepUnknown {
			return Outcome{Kind: OutcomeDead, Err: failuref(broker.FailureUnknown, "no build took it for %v: %w", kept.Round(time.Second), reason)}
		}
	}
	switch first, last := w.unknown.first(m.Task + "\x00" + clip(reason.Error())); {
	case last:
		w.log.Warn("handing back messages of other builds for too many reasons to log each", "logged", maxOnce)
	case first:
		w.log.Warn("handing back messages of another build; logged once for each task and reason",
			"task", m.Task, "queue", m.Queue, "reason", reason, "dead_letter_after", w.config.KeepUnknown)
	}
	return Outcome{Kind: OutcomeHandedBack, Err: reason, In: min(time.Second<<min(m.HandedBack, 10), time.Minute)}
}

// dueSince returns when a message was due.
func dueSince(m *Message) time.Time {
	if m.NotBefore.After(m.EnqueuedAt) {
		return m.NotBefore
	}
	return m.EnqueuedAt
}

// settle tells the broker the outcome of a delivery that was claimed.
func (w *Worker) settle(e *execution, o Outcome) {
	d := e.delivery
	if w.observe != nil {
		w.observe(e.settled(o, w.now()))
	}
	switch o.Kind {
	case OutcomeDone:
		w.stats.done.Add(1)
	case OutcomeRetried:
		w.stats.retried.Add(1)
	case OutcomeDead:
		w.stats.dead.Add(1)
	case OutcomeSnoozed:
		w.stats.snoozed.Add(1)
	case OutcomeHandedBack:
		w.stats.handedBack.Add(1)
	case OutcomeCancelled:
		w.stats.cancelled.Add(1)
	}
	s := o.settlement()
	if h := w.tasks[d.Message().Task]; h != nil && s.Result != nil {
		s.Result = keepResult(&h.Spec, s.Result)
	}
	d.Settle(s)
}
