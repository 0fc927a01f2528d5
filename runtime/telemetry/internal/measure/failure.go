package measure

import (
	"context"
	"errors"
	"reflect"
	"strings"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/dtask"
	"github.com/dtaskhq/dtask/runtime/internal/inside"
)

// AttemptFailed returns the error.type of an outcome, or "" if nothing failed: a kind
// of failure of dtask, or the Go type of the function's error.
func AttemptFailed(ctx context.Context, o dtask.Outcome) string {
	switch {
	case o.Kind == dtask.OutcomeCancelled:
		return o.Kind.String()
	case o.Err == nil, o.Kind == dtask.OutcomeDone, o.Kind == dtask.OutcomeSnoozed:
		return ""
	}
	if kind := inside.FailureKind(ctx, o.Err); kind != broker.FailureError {
		return kind
	}
	return typeOf(o.Err)
}

// NotRun are the error.types of attempts whose function did not run, or not to its end.
// They do not tell how long one takes.
var NotRun = []string{
	dtask.OutcomeCancelled.String(), broker.FailureCrash, broker.FailureExpired, inside.FailureForeign,
	inside.FailureStopped, broker.FailureUndecodable, broker.FailureUnknown,
}

// enqueueFailures are the error.types of what Delay returns.
var enqueueFailures = []struct {
	err  error
	name string
}{
	{broker.ErrUnknownOutcome, "unknown_outcome"},
	{broker.ErrTooLarge, "too_large"},
	{broker.ErrUnroutable, "unroutable"},
	{broker.ErrBlocked, "blocked"},
	{broker.ErrQueueFull, "queue_full"},
	{broker.ErrDuplicate, "duplicate"},
	{broker.ErrTransaction, "transaction"},
	{broker.ErrUnsupported, "unsupported"},
	{broker.ErrClosed, "closed"},
	{context.DeadlineExceeded, "timeout"},
	{context.Canceled, "canceled"},
}

// EnqueueFailed returns the error.type of an enqueue, or "" if nothing failed.
func EnqueueFailed(err error) string {
	if err == nil {
		return ""
	}
	for _, f := range enqueueFailures {
		if errors.Is(err, f.err) {
			return f.name
		}
	}
	return typeOf(err)
}

// typeOf returns the type of an error, within the wrappings of packages fmt and errors
// and those of dtask, which say nothing of what went wrong.
func typeOf(err error) string {
	for {
		t := reflect.TypeOf(err)
		name := t.String()
		pkg := t.PkgPath()
		if t.Kind() == reflect.Pointer {
			pkg = t.Elem().PkgPath()
		}
		wraps := pkg == "fmt" || pkg == "errors" || strings.HasPrefix(pkg, "github.com/dtaskhq/dtask/runtime/dtask")
		if !wraps {
			return name
		}
		var inner error
		switch e := err.(type) {
		case interface{ Unwrap() error }:
			inner = e.Unwrap()
		case interface{ Unwrap() []error }:
			for _, each := range e.Unwrap() {
				if each != nil {
					inner = each
					break
				}
			}
		}
		if inner == nil {
			return name
		}
		err = inner
	}
}
