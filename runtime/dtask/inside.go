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
	inside.Judge = func(task any, schema string) (broker.Fate, string) {
		b := task.(BoundTask)
		return judge(&b.Spec, schema)
	}
	inside.JudgeResult = func(task any, schema string) error {
		b := task.(BoundTask)
		return judgeResult(&b.Spec, schema)
	}
	inside.Decode = func(ctx context.Context, task any, m *Message) error {
		return task.(BoundTask).decode(ctx, m)
	}
	inside.Quiet = func(worker any) { worker.(*Worker).quiet() }
	inside.Resume = func(ctx context.Context, worker any) error { return worker.(*Worker).resume(ctx) }
	inside.SetConcurrency = func(ctx context.Context, worker any, queue string, n int) error {
		return worker.(*Worker).setConcurrency(ctx, queue, n)
	}
	inside.Concurrency = func(worker any) (map[string]int, bool) { return worker.(*Worker).concurrencies() }
	inside.Running = func(worker any) []broker.ProcessRunning { return worker.(*Worker).running() }
	inside.Observe = func(worker any, f func(inside.Settled)) { worker.(*Worker).observe = f }
	inside.Attempt = func(ctx context.Context, client, task any, m *Message) ([]byte, error) {
		b := task.(BoundTask)
		result, err := run(ctx, new(execution), client.(*Client), &b, m)
		return keepResult(&b.Spec, result), err
	}
	inside.FailureKind = failureKind
	inside.TaskName = taskName
	inside.LogContext = logContext
}
