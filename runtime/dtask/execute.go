package dtask

import (
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"runtime/debug"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// process handles a delivery and settles it. It returns false if the slot was
// given up meanwhile.
func (w *Worker) process(s *slot, d broker.Delivery) (open bool) {
	e := &execution{delivery: d, message: *d.Message()}
	h := w.tasks[e.message.Task]
	if h != nil && h.Spec.Timeout > 0 {
		e.deadline = w.now().Add(h.Spec.Timeout + stuckAfter)
	}
	s.current.Store(e)
	var o Outcome
	defer func() {
		s.current.Store(nil)
		if !e.claim() {
			return
		}
		if o.Kind == 0 { // neither returned nor panicked
			o = decide(s.ctx, &e.message, h.Spec, failuref(broker.FailurePanic, "the task called runtime.Goexit"), rand.Float64())
			w.logOutcome(s.ctx, &e.message, o, 0)
		}
		*d.Message() = e.message
		w.settle(d, o)
		open = true
	}()
	o = w.handle(s.ctx, &e.message)
	return
}

// attempt is the innermost [HandleFunc]: it runs the task, if there is one and
// its time has not passed.
func (w *Worker) attempt(ctx context.Context, m *Message) Outcome {
	h := w.tasks[m.Task]
	switch {
	case !m.Expires.IsZero() && w.now().After(m.Expires):
		return Outcome{Kind: OutcomeDead, Err: failuref(broker.FailureExpired, "expired at %s, before a worker was free", m.Expires.UTC().Format(time.RFC3339))}
	case m.Attempt > m.Attempts:
		m.Attempt = m.Attempts
		return Outcome{Kind: OutcomeDead, Err: failuref(broker.FailureCrash, "the worker died during the last attempt")}
	case h == nil:
		return w.unknownTo(m, w.noTask(m))
	}
	result, err := run(ctx, w.client, h, m)
	if givenUp(ctx) {
		return Outcome{Kind: OutcomeGivenUp, Err: cmp.Or(err, errGivenUp)}
	}
	if isForeign(err) {
		return w.unknownTo(m, err)
	}
	o := decide(ctx, m, h.Spec, err, rand.Float64())
	o.Result = result
	return o
}

// run makes one attempt: it decodes the arguments and calls the function, within
// its timeout. A panic becomes an error.
func run(ctx context.Context, c *Client, h *BoundTask, m *Message) (result []byte, err error) {
	tctx := newTaskContext(ctx, c, infoOf(m), h.Spec.Timeout)
	defer tctx.end()
	defer func() {
		if v := recover(); v != nil {
			result, err = nil, &PanicError{Value: v, Stack: string(debug.Stack())}
		}
	}()
	result, err = h.run(tctx, m)
	if err != nil && errors.Is(err, context.DeadlineExceeded) && errors.Is(tctx.Err(), context.DeadlineExceeded) {
		err = failuref(broker.FailureTimeout, "timeout after %v: %w", h.Spec.Timeout, err)
	}
	return result, err
}

// settle tells the broker the outcome.
func (w *Worker) settle(d broker.Delivery, o Outcome) {
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
	}
	var now time.Time
	if o.Kind != OutcomeDone { // done needs no time, and reading the clock costs some
		now = w.now()
	}
	o.apply(d.Message(), now)
	d.Settle(o.settlement())
}
