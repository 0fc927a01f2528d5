package dtask

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/internal/inside"
)

// addFailure adds a failure of the current attempt to the history of m, within
// its bounds.
func addFailure(m *Message, at time.Time, err error) {
	kind, stack := describeFailure(err)
	m.Failures = slices.Clone(m.Failures)
	for i := range m.Failures {
		m.Failures[i].Stack = ""
	}
	m.Failures = append(m.Failures, Failure{
		Attempt: m.Attempt,
		At:      at,
		Kind:    kind,
		Error:   truncate(errorText(err), broker.MaxErrorSize),
		Stack:   truncate(stack, broker.MaxStackSize),
	})
	if n := len(m.Failures) - broker.MaxFailures; n > 0 {
		m.Failures = m.Failures[n:]
	}
}

// errorText returns the text of an error. The Error method may be the user's, and
// may panic, as those of typed nil pointers like to; package fmt survives that.
func errorText(err error) string {
	if err == nil {
		return "no error was given"
	}
	return fmt.Sprint(err)
}

// A failureError is an error of the worker, rather than of the function. It leads
// to no error of the user's, unless it wraps one.
type failureError struct {
	kind  string
	err   error
	stack string // of a panic
}

func (e *failureError) Error() string { return e.err.Error() }
func (e *failureError) Unwrap() error { return e.err }

func failuref(kind, format string, args ...any) error {
	return &failureError{kind: kind, err: fmt.Errorf(format, args...)}
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
		return failure.kind, failure.stack
	case errors.As(err, &panicked):
		return broker.FailurePanic, panicked.Stack
	case errors.As(err, new(*undecodableError)):
		return broker.FailureUndecodable, ""
	}
	return broker.FailureError, ""
}

// failureKind returns the kind of failure that err is, for what counts failures.
func failureKind(ctx context.Context, err error) string {
	kind, _ := describeFailure(err)
	switch {
	case kind != broker.FailureError:
		return kind
	case isForeign(err):
		return inside.FailureForeign
	case stoppedBy(ctx, err):
		return inside.FailureStopped
	case errors.As(err, new(*permanentError)):
		return inside.FailurePermanent
	}
	return kind
}
