package dtasktest

import (
	"context"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/dtask"
	"github.com/dtaskhq/dtask/runtime/internal/inside"
)

// WithClock returns a client of the same broker with another clock: it and its
// workers call now to get the time. The broker has its own clock. So a real broker
// delivers a delayed message when the real time has come.
func WithClock(c *dtask.Client, now func() time.Time) *dtask.Client {
	return inside.WithClock(c, now).(*dtask.Client)
}

// Process lets a worker handle one delivery and settle it, in the calling
// goroutine; [dtask.Worker.Run] does not run. The context of the task is made from
// ctx. It is for tests of brokers and of middleware. For all others a [Worker] is
// simpler.
func Process(ctx context.Context, w *dtask.Worker, d broker.Delivery) {
	inside.Process(ctx, w, d)
}
