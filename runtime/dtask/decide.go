package dtask

import (
	"context"
	"errors"
	"time"
)

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
	case stoppedBy(ctx, err):
		return Outcome{Kind: OutcomeHandedBack, Err: err}
	case errors.As(err, &permanent), m.Attempt >= m.Attempts:
		return Outcome{Kind: OutcomeDead, Err: err}
	case errors.As(err, &after):
		return Outcome{Kind: OutcomeRetried, Err: err, In: after.after}
	}
	return Outcome{Kind: OutcomeRetried, Err: err, In: retryDelay(spec.Backoff, m.Attempt, random)}
}

// stoppedBy reports whether an attempt ended with err because its worker stops.
func stoppedBy(ctx context.Context, err error) bool {
	return context.Cause(ctx) == errStopped && (errors.Is(err, context.Canceled) || errors.Is(err, errStopped))
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
