package dtask

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// An Outcome is what became of a delivered message, decided but not yet
// settled. [Middleware] sees it, and may change it.
type Outcome struct {
	Kind OutcomeKind

	// Err is what went wrong. It is nil for Executed.
	Err error

	// Delay is the time until the message is delivered again, for the kinds
	// that deliver it again.
	Delay time.Duration
}

// An OutcomeKind is a kind of outcome.
type OutcomeKind int

// The kinds of outcomes.
const (
	// Executed: the function returned nil.
	Executed OutcomeKind = iota + 1

	// Retried: the attempt failed and another one is left.
	Retried

	// Buried: the message goes to the dead letters.
	Buried

	// Snoozed: the function asked, by [Snooze], to be run later. Costs no
	// attempt.
	Snoozed

	// Unknown: this build does not know the task or its arguments; another one
	// may. Costs no attempt.
	Unknown

	// Interrupted: the worker stops and the attempt was not finished. Costs no
	// attempt.
	Interrupted

	// GivenUp: the function has returned after the worker had given it up,
	// because it ignored its timeout or the end of the grace period. What
	// becomes of the message was decided then, so this changes nothing.
	GivenUp
)

// String returns the name of the kind in lower case.
func (k OutcomeKind) String() string {
	names := [...]string{Executed: "executed", Retried: "retried", Buried: "buried", Snoozed: "snoozed", Unknown: "unknown", Interrupted: "interrupted", GivenUp: "given up"}
	if k < Executed || int(k) >= len(names) {
		return fmt.Sprintf("outcome(%d)", int(k))
	}
	return names[k]
}

// verdict returns what the broker is told.
func (k OutcomeKind) verdict() Verdict {
	switch k {
	case Executed:
		return Done
	case Buried:
		return Bury
	}
	return Requeue
}

// errStopped is the cause of the cancellation of tasks that outlast the grace
// period.
var errStopped = errors.New("the worker is stopping")

// errGivenUp is the error of a task that returned none after it was given up.
var errGivenUp = errors.New("the task returned after it was given up")

// decide returns the outcome of an attempt that ended with err. random is in
// [0, 1).
func decide(ctx context.Context, m *Message, spec Spec, err error, random float64) Outcome {
	if err == nil {
		return Outcome{Kind: Executed}
	}
	return decideFailure(ctx, m, spec, err, random)
}

func decideFailure(ctx context.Context, m *Message, spec Spec, err error, random float64) Outcome {
	var (
		undecodable *undecodableError
		foreign     *foreignError
		snooze      *snoozeError
		permanent   *permanentError
		after       *retryAfterError
	)
	switch {
	case errors.As(err, &foreign):
		return Outcome{Kind: Unknown, Err: err}
	case errors.As(err, &undecodable):
		return Outcome{Kind: Buried, Err: err}
	case errors.As(err, &snooze):
		return Outcome{Kind: Snoozed, Err: err, Delay: snooze.after}
	case context.Cause(ctx) == errStopped && (errors.Is(err, context.Canceled) || errors.Is(err, errStopped)):
		return Outcome{Kind: Interrupted, Err: err}
	case errors.As(err, &permanent), m.Attempt >= m.Attempts:
		return Outcome{Kind: Buried, Err: err}
	case errors.As(err, &after):
		return Outcome{Kind: Retried, Err: err, Delay: after.after}
	}
	return Outcome{Kind: Retried, Err: err, Delay: retryDelay(spec.Backoff, m.Attempt, random)}
}

// apply changes m as the outcome demands.
func (o Outcome) apply(m *Message, now time.Time) {
	m.NotBefore = time.Time{}
	if o.Delay > 0 {
		m.NotBefore = now.Add(o.Delay)
	}
	switch o.Kind {
	case Retried, Buried:
		m.fail(now, o.Err)
	}
	switch o.Kind {
	case Retried:
		m.Attempt++
		m.Returned, m.ReturnedSince = 0, time.Time{}
	case Unknown:
		if m.Returned == 0 {
			m.ReturnedSince = now
		}
		m.Returned++
	}
}

// A failureError is an error of the worker, rather than of the function.
type failureError struct {
	kind string
	err  error
}

func (e *failureError) Error() string { return e.err.Error() }
func (e *failureError) Unwrap() error { return e.err }

func failuref(kind, format string, args ...any) error {
	return &failureError{kind, fmt.Errorf(format, args...)}
}

// describeFailure returns the kind of failure that err is, and the stack of a
// panic.
func describeFailure(err error) (kind, stack string) {
	var (
		failure  *failureError
		panicked *PanicError
	)
	switch {
	case errors.As(err, &failure):
		return failure.kind, ""
	case errors.As(err, &panicked):
		return FailurePanic, panicked.Stack
	case errors.As(err, new(*undecodableError)):
		return FailureUndecodable, ""
	}
	return FailureError, ""
}
