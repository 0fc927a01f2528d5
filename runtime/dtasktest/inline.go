package dtasktest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/dtask"
	"github.com/dtaskhq/dtask/runtime/internal/inside"
)

// NewInline returns a client for tests and scripts. Its Delay runs the task at
// once. Arguments and results are encoded and decoded as with a real broker.
//
// Delay returns the error of the task, in a [dtask.EnqueueError]. There is one
// attempt. The client ignores delays, priorities and expiry. NewInline panics if
// two tables have the same task.
func NewInline(tables ...dtask.Table) *dtask.Client {
	b := &inline{tasks: make(map[string]dtask.BoundTask)}
	b.client = dtask.NewClient(b)
	all := slices.Concat(tables...)
	if len(all) > 0 {
		if _, err := dtask.NewWorker(b.client, dtask.WorkerConfig{}, all); err != nil {
			panic("dtasktest: NewInline: " + err.Error())
		}
	}
	for _, task := range all {
		b.tasks[task.Name] = task
	}
	return b.client
}

// inline is a broker that has no queues.
type inline struct {
	tasks   map[string]dtask.BoundTask
	client  *dtask.Client
	results sync.Map // id → broker.Result, of the tasks that ask to keep it
}

func (b *inline) Enqueue(ctx context.Context, m *broker.Message) error {
	task, ok := b.tasks[m.Task]
	if !ok {
		return fmt.Errorf("no table passed to NewInline has task %q", m.Task)
	}
	value, err := inside.Attempt(ctx, b.client, task, m)
	if err != nil {
		return err
	}
	if m.Keep > 0 {
		b.results.Store(m.ID, broker.Result{Task: m.Task, Value: value})
	}
	return nil
}

func (b *inline) EnqueueMany(ctx context.Context, ms []*broker.Message) []error {
	errs := make([]error, len(ms))
	for i, m := range ms {
		errs[i] = b.Enqueue(ctx, m)
	}
	return errs
}

// Result implements [broker.ResultStore].
func (b *inline) Result(_ context.Context, id string) (broker.Result, error) {
	if r, ok := b.results.Load(id); ok {
		return r.(broker.Result), nil
	}
	return broker.Result{}, broker.ErrNoResult
}

func (b *inline) Consume(context.Context, broker.ConsumeOptions) (broker.Consumer, error) {
	return nil, errors.New("an inline client runs tasks at once and has no queues")
}

func (b *inline) Close() error { return nil }
