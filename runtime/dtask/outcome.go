package dtask

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// An Outcome is what became of a delivered message, decided but not yet
// settled. [Middleware] sees it, and may change it.
type Outcome struct {
	Kind OutcomeKind

	// Err is what went wrong. It is nil for OutcomeDone.
	Err error

	// In is the time until the message is delivered again, for the kinds that
	// deliver it again.
	In time.Duration

	// Result is the value that the function returned, in JSON, if it is to be
	// kept.
	Result []byte
}

// An OutcomeKind is a kind of outcome.
type OutcomeKind int

// The kinds of outcomes.
const (
	// OutcomeDone: the function returned nil.
	OutcomeDone OutcomeKind = iota + 1

	// OutcomeRetried: the attempt failed and another one is left.
	OutcomeRetried

	// OutcomeDead: the message is moved to the dead letters.
	OutcomeDead

	// OutcomeSnoozed: the function asked, by [Snooze], to be run later. That
	// costs no attempt.
	OutcomeSnoozed

	// OutcomeHandedBack: another worker is to run the message. This build does
	// not know the task or its arguments, or this worker stopped before the
	// attempt was finished. That costs no attempt.
	OutcomeHandedBack

	// OutcomeGivenUp: the function has returned too late. It ignored its timeout
	// or the end of the grace period, so the worker gave it up and settled the
	// message at that time. This outcome changes nothing.
	OutcomeGivenUp
)

// String returns the name of the kind in lower case.
func (k OutcomeKind) String() string {
	names := [...]string{
		OutcomeDone:       "done",
		OutcomeRetried:    "retried",
		OutcomeDead:       "dead",
		OutcomeSnoozed:    "snoozed",
		OutcomeHandedBack: "handed back",
		OutcomeGivenUp:    "given up",
	}
	if k < OutcomeDone || int(k) >= len(names) {
		return fmt.Sprintf("outcome(%d)", int(k))
	}
	return names[k]
}

// settlement returns what the broker is told.
func (o Outcome) settlement() broker.Settlement {
	switch o.Kind {
	case OutcomeDone:
		return broker.Settlement{Verdict: broker.Done, Result: o.Result}
	case OutcomeDead:
		return broker.Settlement{Verdict: broker.Dead}
	}
	return broker.Settlement{Verdict: broker.Requeue}
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
		return Outcome{Kind: OutcomeDone}
	}
	return decideFailure(ctx, m, spec, err, random)
}

func decideFailure(ctx context.Context, m *Message, spec Spec, err error, random float64) Outcome {
	var (
		undecodable *undecodableError
		snooze      *snoozeError
		permanent   *permanentError
		after       *retryAfterError
	)
	switch {
	case isForeign(err):
		return Outcome{Kind: OutcomeHandedBack, Err: err}
	case errors.As(err, &undecodable):
		return Outcome{Kind: OutcomeDead, Err: err}
	case errors.As(err, &snooze):
		return Outcome{Kind: OutcomeSnoozed, Err: err, In: snooze.after}
	case context.Cause(ctx) == errStopped && (errors.Is(err, context.Canceled) || errors.Is(err, errStopped)):
		return Outcome{Kind: OutcomeHandedBack, Err: err}
	case errors.As(err, &permanent), m.Attempt >= m.Attempts:
		return Outcome{Kind: OutcomeDead, Err: err}
	case errors.As(err, &after):
		return Outcome{Kind: OutcomeRetried, Err: err, In: after.after}
	}
	return Outcome{Kind: OutcomeRetried, Err: err, In: retryDelay(spec.Backoff, m.Attempt, random)}
}

// apply changes m as the outcome demands.
func (o Outcome) apply(m *Message, now time.Time) {
	m.NotBefore = time.Time{}
	if o.In > 0 {
		m.NotBefore = now.Add(o.In)
	}
	switch o.Kind {
	case OutcomeRetried:
		addFailure(m, now, o.Err)
		m.Attempt++
		m.HandedBack, m.HandedBackSince = 0, time.Time{}
	case OutcomeDead:
		addFailure(m, now, o.Err)
	case OutcomeHandedBack:
		if !isForeign(o.Err) {
			return // the worker stops; other workers may know the message
		}
		if m.HandedBack == 0 {
			m.HandedBackSince = now
		}
		m.HandedBack++
	}
}
