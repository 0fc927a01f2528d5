package dtask

import (
	"context"
	"time"

	"github.com/dtaskhq/dtask/internal/inside"
	"github.com/dtaskhq/dtask/runtime/broker"
)

func init() {
	inside.SetClock = func(client any, now func() time.Time) { client.(*Client).now = now }
	inside.Process = func(ctx context.Context, worker any, d broker.Delivery) {
		worker.(*Worker).process(&slot{ctx: ctx}, d)
	}
	inside.Attempt = func(ctx context.Context, client, task any, m *Message) ([]byte, error) {
		b := task.(BoundTask)
		return run(ctx, client.(*Client), &b, m)
	}
}
