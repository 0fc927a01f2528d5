// Package inside gives packages dtasktest and worker access to parts of package
// dtask that are not exported. Package dtask sets the variables when it is initialised. It
// cannot be imported here, so its types are any: client is a *dtask.Client,
// worker a *dtask.Worker, task a dtask.BoundTask.
package inside

import (
	"context"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// A Fate says what a worker does with messages of a schema.
type Fate string

// The fates.
const (
	Runs      Fate = "runs"
	Converted Fate = "runs, converted"
	Refused   Fate = "handed back"
	Unknown   Fate = "unknown"
)

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
	Judge func(task any, schema string) (f Fate, reason string)

	// Decode decodes the arguments of a message for a task, as before it runs.
	Decode func(ctx context.Context, task any, m *broker.Message) error

	// Running returns what a worker executes at this moment, in no order.
	Running func(worker any) []broker.ProcessRunning

	// Attempt makes one attempt of a message by a task, and returns the result
	// to keep.
	Attempt func(ctx context.Context, client, task any, m *broker.Message) (result []byte, err error)
)
