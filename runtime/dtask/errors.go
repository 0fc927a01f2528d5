package dtask

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// These are errors of Delay. Test for them with errors.Is.
var (
	// ErrUnknownOutcome: the connection was lost, or the context ended, after
	// the message was sent and before the broker confirmed it. It may run. If the
	// task is idempotent, enqueue it again under the same [ID].
	ErrUnknownOutcome = broker.ErrUnknownOutcome

	// ErrTooLarge: the message exceeds [MaxBodySize] or the broker's own limit.
	ErrTooLarge = broker.ErrTooLarge

	// ErrUnroutable: the broker has no queue for the message.
	ErrUnroutable = broker.ErrUnroutable

	// ErrBlocked: the broker was short of memory or disk, and refused messages
	// until the context ended.
	ErrBlocked = broker.ErrBlocked

	// ErrQueueFull: the queue has reached the length its operator allows.
	ErrQueueFull = broker.ErrQueueFull

	// ErrDuplicate: a message with the same id is stored already. With the option
	// [IgnoreDuplicate] that is no error.
	ErrDuplicate = broker.ErrDuplicate

	// ErrTransaction: the context has a transaction of the application (as of
	// sqlite.WithTx), and the broker cannot enqueue in it.
	ErrTransaction = broker.ErrTransaction

	// ErrUnsupported: the broker cannot do what was asked of it.
	ErrUnsupported = broker.ErrUnsupported

	// ErrClosed: the client, the broker or the consumer was closed.
	ErrClosed = broker.ErrClosed

	// ErrNoClient: there is neither a client in the context nor a default one.
	ErrNoClient = errors.New("no client; call dtask.SetDefault at start, or pass a context made by dtask.NewContext; if you do, check the error of dtask.Open")
)

var (
	// ErrArguments: the JSON object does not fit the arguments of the task.
	ErrArguments = errors.New("the arguments do not fit the task")

	// ErrCancelled: the task was cancelled, see [Handle.Cancel]. It is the error of Wait,
	// and the cause (context.Cause) why the context of the task has ended.
	ErrCancelled = broker.ErrCancelled

	// ErrNoMessage: no message has that id. It may have been executed or deleted.
	ErrNoMessage = broker.ErrNoMessage

	// ErrNoResult: no message has that id, its outcome is not kept, or it is no
	// longer kept.
	ErrNoResult = broker.ErrNoResult
)

// errNoTransactor is the error of an enqueue in a transaction on a broker that is
// no [broker.Transactor].
var errNoTransactor = fmt.Errorf("%w: it has no transactions; open the client with an outbox (package outbox), or enqueue after the commit, with a context without the transaction", ErrTransaction)

// errNoTxCanceller is the error of a cancel in a transaction on a broker that is no
// [broker.TxCanceller].
var errNoTxCanceller = fmt.Errorf("%w: it cannot cancel in one; cancel after the commit, with a context without the transaction", ErrTransaction)

// An EnqueueError says which message could not be enqueued and why.
type EnqueueError struct {
	Task string // its name
	ID   string // empty if it failed before it had one
	Err  error
}

// Error implements error.
func (e *EnqueueError) Error() string {
	if e.ID == "" {
		return fmt.Sprintf("dtask: enqueue %s: %v", shortName(e.Task), e.Err)
	}
	return fmt.Sprintf("dtask: enqueue %s (%s): %v", shortName(e.Task), e.ID, e.Err)
}

// Unwrap returns e.Err.
func (e *EnqueueError) Unwrap() error { return e.Err }

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

// truncate cuts s to at most n bytes of valid UTF-8, and marks the cut.
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
