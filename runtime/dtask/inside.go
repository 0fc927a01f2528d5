package dtask

import (
	"context"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/internal/inside"
)

func init() {
	inside.WithClock = func(client any, now func() time.Time) any {
		clocked := *client.(*Client)
		clocked.now = now
		return &clocked
	}
	inside.Process = func(ctx context.Context, worker any, d broker.Delivery) {
		worker.(*Worker).process(&slot{ctx: ctx}, d)
	}
	inside.Unrecorded = func(worker any) []broker.Unrecorded { return worker.(*Worker).unrecorded() }
	inside.Judge = func(task any, schema string) (inside.Fate, string) {
		b := task.(BoundTask)
		return judge(&b.Spec, schema)
	}
	inside.Decode = func(ctx context.Context, task any, m *Message) error {
		return task.(BoundTask).decode(ctx, m)
	}
	inside.Running = func(worker any) []broker.ProcessRunning { return worker.(*Worker).running() }
	inside.Attempt = func(ctx context.Context, client, task any, m *Message) ([]byte, error) {
		b := task.(BoundTask)
		result, err := run(ctx, client.(*Client), &b, m)
		return keepResult(&b.Spec, result), err
	}
}
