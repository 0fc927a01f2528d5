// Package inside gives packages dtasktest, worker and telemetry access to parts of package
// dtask that are not exported. Package dtask sets the variables when it is initialised. It
// cannot be imported here, so its types are any: client is a *dtask.Client,
// worker a *dtask.Worker, task a dtask.BoundTask.
package inside

import (
	"context"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// A Settled is what became of a delivery. It is called settled when the worker has
// decided, which the broker is told then.
type Settled struct {
	broker.ProcessRunning
	Waited  time.Duration // from when it was due until Since
	Ended   time.Time
	Outcome string          // the name of an OutcomeKind
	Failure *broker.Failure // if it was retried, or is dead
}

var (
	// WithClock returns a copy of a client. It, and the workers that are made of
	// it, use now to tell the time.
	WithClock func(client any, now func() time.Time) any

	// Process has a worker handle one delivery and settle it, in the calling
	// goroutine. ctx is the parent of the task's context.
	Process func(ctx context.Context, worker any, d broker.Delivery)

	// Unrecorded returns the outcomes of a worker that the broker has not recorded.
	Unrecorded func(worker any) []broker.Unrecorded

	// Judge says what a worker with a task does with messages of a schema, and why it
	// does not run them.
	Judge func(task any, schema string) (f broker.Fate, reason string)

	// JudgeResult says why Wait, for a task, does not read results of a schema.
	JudgeResult func(task any, schema string) error

	// Decode decodes the arguments of a message for a task, as before it runs.
	Decode func(ctx context.Context, task any, m *broker.Message) error

	// Running returns what a worker executes at this moment, in no order.
	Running func(worker any) []broker.ProcessRunning

	// Quiet has a worker fetch no more, Resume fetch again, and SetConcurrency run that
	// many messages of a queue at once. Concurrency returns these numbers by queue, and
	// whether the worker is quiet.
	Quiet          func(worker any)
	Resume         func(ctx context.Context, worker any) error
	SetConcurrency func(ctx context.Context, worker any, queue string, n int) error
	Concurrency    func(worker any) (ns map[string]int, quiet bool)
	// Observe has a worker that does not run yet call f with what becomes of each
	// delivery, before the broker is told. f is called by many goroutines, and is to
	// be quick.
	Observe func(worker any, f func(Settled))

	// Attempt makes one attempt of a message by a task, and returns the result
	// to keep.
	Attempt func(ctx context.Context, client, task any, m *broker.Message) (result []byte, err error)

	// FailureKind says what kind of failure the error of an outcome is: one of the
	// Failure… constants of package broker, [FailureForeign], [FailurePermanent] or
	// [FailureStopped]. For a plain error of a function it is broker.FailureError.
	FailureKind func(ctx context.Context, err error) string

	// TaskName returns the present name of a task that the worker has which handles a
	// message with ctx. It returns false if the worker has no such task, or if no worker
	// handles a message with ctx.
	TaskName func(ctx context.Context, task string) (name string, ok bool)

	// LogContext makes the worker log the outcome of the message that is handled with
	// ctx in another context, which middleware has made of it.
	LogContext func(ctx, other context.Context)
)

// Kinds of failures that messages do not keep.
const (
	FailureForeign   = "foreign"   // of another build
	FailurePermanent = "permanent" // the function said so
	FailureStopped   = "stopped"   // the worker stopped before the function had ended
)
