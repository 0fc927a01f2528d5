package dtask

import (
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
	s := broker.Settlement{Verdict: broker.Requeue, Outcome: o.Kind.String()}
	switch o.Kind {
	case OutcomeDone:
		s.Verdict, s.Result = broker.Done, o.Result
	case OutcomeDead:
		s.Verdict = broker.Dead
	}
	return s
}
