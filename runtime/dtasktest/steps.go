package dtasktest

import (
	"context"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/dtask"
	"github.com/dtaskhq/dtask/runtime/internal/inside"
)

// WithClock returns a client of the same broker. It, and the workers that are
// made of it, use now to tell the time. The broker keeps its own clock: a real one
// delivers a delayed message when the time has really come.
func WithClock(c *dtask.Client, now func() time.Time) *dtask.Client {
	return inside.WithClock(c, now).(*dtask.Client)
}

// Process has a worker handle one delivery and settle it, in the calling
// goroutine, without [dtask.Worker.Run]. ctx is the parent of the task's context.
// It is for tests of brokers and of middleware; a [Worker] is simpler for others.
func Process(ctx context.Context, w *dtask.Worker, d broker.Delivery) {
	inside.Process(ctx, w, d)
}
