package dtask

import (
	"errors"
	"fmt"
	"slices"
)

// A BatchError says which messages of a batch could not be enqueued.
type BatchError struct {
	// Errs has an entry for each message: nil for those that are durable.
	Errs []error
}

// Error returns how many messages failed, how many of these may be enqueued
// nevertheless, and the first error with its index.
func (e *BatchError) Error() string {
	failed := e.Unwrap()
	first := slices.IndexFunc(e.Errs, func(err error) bool { return err != nil })
	if first < 0 {
		return "all messages were enqueued"
	}
	what := "were not enqueued"
	unknown := 0
	for _, err := range failed {
		if errors.Is(err, ErrUnknownOutcome) {
			unknown++
		}
	}
	switch {
	case unknown == len(failed):
		what = "may or may not be enqueued"
	case unknown > 0:
		what = fmt.Sprintf("failed, of which %d may be enqueued", unknown)
	}
	return fmt.Sprintf("%d of %d messages %s, the first at index %d: %v", len(failed), len(e.Errs), what, first, e.Errs[first])
}

// Unwrap returns the errors of the messages that failed.
func (e *BatchError) Unwrap() []error {
	var errs []error
	for _, err := range e.Errs {
		if err != nil {
			errs = append(errs, err)
		}
	}
	return errs
}

// batchError returns the error of a batch, or nil if nothing failed.
func batchError(errs []error) error {
	for _, err := range errs {
		if err != nil {
			return &BatchError{Errs: errs}
		}
	}
	return nil
}
