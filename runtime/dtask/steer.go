package dtask

import (
	"fmt"
	"time"
)

// Permanent marks an error that another attempt cannot mend, such as a wrong
// address. A task that returns Permanent(err) goes to the dead letters at once.
// Permanent(nil) is nil.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return &permanentError{err}
}

type permanentError struct{ err error }

func (e *permanentError) Error() string { return e.err.Error() }

func (e *permanentError) Unwrap() error { return e.err }

// RetryAfter chooses the time of the next attempt. A task that returns
// RetryAfter(time.Minute, err) is tried again after a minute, and not after its
// backoff. The attempt counts like any other. RetryAfter(d, nil) is nil.
func RetryAfter(d time.Duration, err error) error {
	if err == nil {
		return nil
	}
	return &retryAfterError{max(d, 0), err}
}

type retryAfterError struct {
	after time.Duration
	err   error
}

func (e *retryAfterError) Error() string { return e.err.Error() }

func (e *retryAfterError) Unwrap() error { return e.err }

// Snooze puts a task off. A task that returns Snooze(time.Minute) runs again after
// a minute: what it waits for is not there yet. This is not a failure, and it uses
// up no attempt.
func Snooze(d time.Duration) error { return &snoozeError{max(d, 0)} }

type snoozeError struct{ after time.Duration }

func (e *snoozeError) Error() string { return fmt.Sprintf("snooze for %v", e.after) }
