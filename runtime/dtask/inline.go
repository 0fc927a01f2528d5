package dtask

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// NewInline returns a client that runs a task at once, within Delay, through
// the same encoding and decoding as a real one: for tests and scripts.
//
// Delay returns the error of the task, wrapped in an [EnqueueError]. There is
// one attempt; delays, priorities and expiry are ignored. NewInline panics if
// two tables bind the same task.
func NewInline(tables ...Table) *Client {
	tasks, err := merge(tables)
	if err != nil {
		panic("dtask: NewInline: " + err.Error())
	}
	b := &inlineBroker{tasks: tasks}
	b.client = NewClient(b)
	return b.client
}

// inlineBroker is a broker that has no queues.
type inlineBroker struct {
	tasks   dispatch
	client  *Client
	results sync.Map // id → Result, of the tasks that ask to keep it
}

var errInline = errors.New("an inline client runs tasks at once and has no queues")

func (b *inlineBroker) Enqueue(ctx context.Context, m *Message) error {
	h := b.tasks[m.Task]
	if h == nil {
		return fmt.Errorf("no table passed to NewInline has task %q", m.Task)
	}
	if err := run(ctx, b.client, h, m); err != nil {
		return err
	}
	if m.Keep > 0 {
		b.results.Store(m.ID, Result{Task: m.Task, Value: m.Result})
	}
	return nil
}

func (b *inlineBroker) Result(_ context.Context, id string) (Result, error) {
	if r, ok := b.results.Load(id); ok {
		return r.(Result), nil
	}
	return Result{}, ErrNoResult
}

func (b *inlineBroker) EnqueueMany(ctx context.Context, ms []*Message) []error {
	errs := make([]error, len(ms))
	for i, m := range ms {
		errs[i] = b.Enqueue(ctx, m)
	}
	return errs
}

func (b *inlineBroker) Consume(context.Context, ConsumeOptions) (Consumer, error) {
	return nil, errInline
}
func (b *inlineBroker) Queues(context.Context) ([]QueueState, error) { return nil, errInline }
func (b *inlineBroker) DeadLetters(context.Context, string, int) ([]*Message, error) {
	return nil, errInline
}

func (b *inlineBroker) RetryDead(context.Context, string, ...string) (int, error) {
	return 0, errInline
}

func (b *inlineBroker) DeleteDead(context.Context, string, ...string) (int, error) {
	return 0, errInline
}
func (b *inlineBroker) Due(context.Context, string) (bool, error)  { return false, errInline }
func (b *inlineBroker) Purge(context.Context, string) (int, error) { return 0, errInline }
func (b *inlineBroker) Pause(context.Context, string) error        { return errInline }
func (b *inlineBroker) Resume(context.Context, string) error       { return errInline }
func (b *inlineBroker) LastTick(context.Context, string) (time.Time, error) {
	return time.Time{}, errInline
}

func (b *inlineBroker) Tick(context.Context, string, time.Time, time.Time, *Message) (bool, error) {
	return false, errInline
}
func (b *inlineBroker) Close() error { return nil }
