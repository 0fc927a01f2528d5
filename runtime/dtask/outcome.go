package dtask

import (
	"fmt"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// An Outcome says what becomes of a delivered message. Middleware sees it before
// the broker does, and may change it.
type Outcome struct {
	Kind OutcomeKind

	// Err is what went wrong. It is nil for OutcomeDone.
	Err error

	// In is the time until the message is delivered again. It has a meaning for the
	// kinds that deliver it again.
	In time.Duration

	// Result is the value that the function returned, in JSON. It is empty if it is
	// not to be kept.
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

	// OutcomeSnoozed: the function returned [Snooze], to run later. That uses up no
	// attempt.
	OutcomeSnoozed

	// OutcomeHandedBack: the message goes back to its queue, for another worker.
	// This build does not know the task or its arguments, or this worker stopped
	// before the task was finished. That uses up no attempt.
	OutcomeHandedBack

	// OutcomeCancelled: the message was cancelled, and is gone. Its function did not run,
	// or it returned an error after that. One that returns nil is done all the same.
	OutcomeCancelled

	// OutcomeGivenUp: the function has returned after the worker gave it up. It had
	// ignored its timeout, or the stop of the worker, and the worker settled the
	// message at that time. This outcome changes nothing any more.
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
		OutcomeCancelled:  "cancelled",
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
	case OutcomeCancelled:
		s.Verdict = broker.Cancelled
	}
	return s
}
