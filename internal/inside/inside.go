// Package inside opens to package dtasktest what package dtask shows to nobody
// else. Package dtask sets the variables when it is initialised. It cannot be
// imported here, so a client, which is a *dtask.Client, a worker, a
// *dtask.Worker, and a task, a dtask.BoundTask, go as any.
package inside

import (
	"context"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
)

var (
	// SetClock makes it the time that now returns for a client, and for the
	// workers that are made of it afterwards.
	SetClock func(client any, now func() time.Time)

	// Process has a worker handle one delivery and settle it, in the calling
	// goroutine. ctx is the parent of the task's context.
	Process func(ctx context.Context, worker any, d broker.Delivery)

	// Attempt makes one attempt of a message by a task, and returns the result
	// to keep.
	Attempt func(ctx context.Context, client, task any, m *broker.Message) (result []byte, err error)
)
