package dtasktest

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"sync"
	"testing"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/dtask"
)

// A Recorder is a broker for tests. It keeps what is enqueued in memory, where the
// test looks at it. It runs nothing, so Wait of a handle fails at once.
type Recorder struct {
	client *dtask.Client
	worked bool // whether a Worker runs what is recorded

	mu      sync.Mutex
	queued  []*dtask.Message // in the order of their Delay
	dead    []*dtask.Message
	results results
}

// NewRecorder returns an empty recorder.
func NewRecorder() *Recorder {
	r := &Recorder{}
	r.client = dtask.NewClient(memory{r})
	return r
}

// Client returns a client that enqueues to r.
func (r *Recorder) Client() *dtask.Client { return r.client }

// Context returns a context in which Delay enqueues to r.
func (r *Recorder) Context(ctx context.Context) context.Context {
	return dtask.NewContext(ctx, r.client)
}

// Messages returns the messages that were enqueued and that no [Worker] has run, in
// the order of the calls.
func (r *Recorder) Messages() []*dtask.Message {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.queued)
}

// DeadLetters returns the dead letters of a [Worker].
func (r *Recorder) DeadLetters() []*dtask.Message {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.dead)
}

// Reset forgets all messages.
func (r *Recorder) Reset() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.queued, r.dead = nil, nil
	r.results.reset()
}

// Delayed returns the arguments with which r was asked to enqueue the task, in the
// order of the calls. It fails the test if a message does not decode.
func Delayed[A, R any](t testing.TB, r *Recorder, task dtask.Task[A, R]) []A {
	t.Helper()
	var calls []A
	for _, m := range r.Messages() {
		if m.Task != task.Name() {
			continue
		}
		var args A
		if err := json.Unmarshal(m.Body, &args); err != nil {
			t.Fatalf("arguments of %s: %v", m.Task, err)
		}
		calls = append(calls, args)
	}
	return calls
}

// memory gives a Recorder the methods of a broker without showing them.
type memory struct{ *Recorder }

func (b memory) Enqueue(ctx context.Context, m *dtask.Message) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, known := range slices.Concat(b.queued, b.dead) {
		if known.ID == m.ID {
			return dtask.ErrDuplicate
		}
	}
	stored := *m
	b.queued = append(b.queued, &stored)
	b.results.expect(m)
	return nil
}

func (b memory) EnqueueMany(ctx context.Context, ms []*dtask.Message) []error {
	errs := make([]error, len(ms))
	for i, m := range ms {
		errs[i] = b.Enqueue(ctx, m)
	}
	return errs
}

// RefusesDuplicates implements [broker.Deduplicator].
func (b memory) RefusesDuplicates() {}

// Cancel implements [broker.Canceller] for messages that wait.
func (b memory) Cancel(ctx context.Context, ids ...string) ([]broker.Cancellation, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	all := make([]broker.Cancellation, len(ids))
	for i, id := range ids {
		all[i] = broker.CancelNothing
		if r := b.results.byID[id]; r != nil && r.Cancelled {
			all[i] = broker.CancelDone
		}
		b.queued = slices.DeleteFunc(b.queued, func(m *dtask.Message) bool {
			if m.ID == id {
				all[i] = broker.CancelDone
				b.results.settle(m, broker.Settlement{Verdict: broker.Cancelled})
			}
			return m.ID == id
		})
	}
	return all, nil
}

func (b memory) Consume(context.Context, broker.ConsumeOptions) (broker.Consumer, error) {
	return nil, errors.New("a dtasktest.Recorder delivers nothing; use a dtasktest.Worker")
}

func (b memory) Close() error { return nil }
