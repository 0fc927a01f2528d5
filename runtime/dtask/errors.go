package dtask

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// What can become of an enqueue. Brokers wrap these, so that errors.Is finds
// them in the error of Delay.
var (
	// ErrUnknownOutcome: the connection was lost, or the context ended, after
	// the message was sent and before the broker confirmed it. It may run. To
	// enqueue it again under the same [ID] is safe as far as the task is
	// idempotent.
	ErrUnknownOutcome = errors.New("the message may or may not have been enqueued")

	// ErrTooLarge: the message exceeds [MaxBodySize] or the broker's own limit.
	ErrTooLarge = errors.New("message too large")

	// ErrUnroutable: the broker has no queue for the message.
	ErrUnroutable = errors.New("no such queue at the broker")

	// ErrBlocked: the broker refuses messages for want of memory or disk, and
	// still did when the context ended.
	ErrBlocked = errors.New("the broker accepts no messages at the moment")

	// ErrQueueFull: the queue has reached the length its operator allows.
	ErrQueueFull = errors.New("the queue is full")

	// ErrDuplicate: a message with the same id is stored already. The option
	// [IgnoreDuplicate] makes that no error.
	ErrDuplicate = errors.New("a message with this id is already enqueued")

	// ErrTransaction: the context has a transaction of the application, by
	// sqlite.WithTx or its like, in which the broker cannot enqueue.
	ErrTransaction = errors.New("the context has a transaction in which the broker cannot enqueue")

	// ErrClosed: the client, the broker or the consumer was closed.
	ErrClosed = errors.New("closed")

	// ErrArguments: the JSON object does not fit the arguments of the task.
	ErrArguments = errors.New("the arguments do not fit the task")

	// ErrNoClient: there is neither a client in the context nor a default one.
	ErrNoClient = errors.New("no client; call dtask.SetDefault at start, or pass a context made by dtask.NewContext; if you do, check the error of dtask.Open")
)

// An EnqueueError says which message could not be enqueued and why.
type EnqueueError struct {
	Task string
	ID   string // empty if it failed before it had one
	Err  error
}

// Error implements error.
func (e *EnqueueError) Error() string {
	if e.ID == "" {
		return fmt.Sprintf("dtask: enqueue %s: %v", e.Task, e.Err)
	}
	return fmt.Sprintf("dtask: enqueue %s (%s): %v", e.Task, e.ID, e.Err)
}

// Unwrap returns e.Err.
func (e *EnqueueError) Unwrap() error { return e.Err }

// A BatchError says which messages of a batch could not be enqueued.
type BatchError struct {
	// Errs has an entry for each message: nil for those that are durable.
	Errs []error
}

// Error implements error: the count, and the first error with its index.
func (e *BatchError) Error() string {
	failed := e.Unwrap()
	first := slices.IndexFunc(e.Errs, func(err error) bool { return err != nil })
	if first < 0 {
		return "all messages were enqueued"
	}
	return fmt.Sprintf("%d of %d messages were not enqueued, the first at index %d: %v", len(failed), len(e.Errs), first, e.Errs[first])
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

// Permanent marks an error as one that no further attempt will mend: the task
// goes to the dead letters at once. Permanent(nil) is nil.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return &permanentError{err}
}

type permanentError struct{ err error }

func (e *permanentError) Error() string { return e.err.Error() }
func (e *permanentError) Unwrap() error { return e.err }

// RetryAfter marks an error as one to retry after d rather than after the
// backoff of the task. It counts as an attempt. RetryAfter(d, nil) is nil.
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

// Snooze asks to run the task again after d. It is no failure and costs no
// attempt: the thing the task waits for is not there yet.
func Snooze(d time.Duration) error { return &snoozeError{max(d, 0)} }

type snoozeError struct{ after time.Duration }

func (e *snoozeError) Error() string { return fmt.Sprintf("snooze for %v", e.after) }

// A PanicError is the error of an attempt that panicked.
type PanicError struct {
	Value any    // what was passed to panic
	Stack string // of the goroutine that panicked
}

// Error implements error.
func (e *PanicError) Error() string { return fmt.Sprintf("panic: %v", e.Value) }

// Unwrap returns the value if it is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// truncate cuts s to at most n bytes of valid UTF-8, and says so in the text.
func truncate(s string, n int) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) <= n {
		return s
	}
	const mark = "…"
	end := n - len(mark)
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + mark
}
