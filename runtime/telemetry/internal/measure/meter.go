package measure

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/dtask"
	"github.com/dtaskhq/dtask/runtime/internal/inside"
)

// A Meter measures a client and the workers of its process.
type Meter struct {
	sink Sink

	tasks, queues, errors *bounded

	attempts cache[attemptKey, *attemptSeries]
	sent     cache[sentKey, *sentSeries]
	running  cache[string, *atomic.Int64] // by task

	watched watched
}

// NewMeter returns a meter that records in sink.
func NewMeter(sink Sink) *Meter {
	return &Meter{
		sink:   sink,
		tasks:  newBounded(maxTasks, otherNames),
		queues: newBounded(maxQueues, otherNames),
		errors: newBounded(maxErrors, otherErrors),
	}
}

// An attemptKey says which series an attempt belongs to.
type attemptKey struct {
	queue, task, failed string
	outcome             dtask.OutcomeKind
}

type attemptSeries struct {
	consumed, attempts Add
	foreign            Add // nil if it is of this build
	process, wait      Observe
}

func (m *Meter) attemptSeries(k attemptKey) *attemptSeries {
	const process = "process"
	s := &attemptSeries{
		consumed: m.sink.Counter(consumedMessages, process, k.queue),
		attempts: m.sink.Counter(attempts, k.queue, k.task, k.outcome.String(), k.failed),
		process:  m.sink.Histogram(processDuration, process, k.queue, k.task, k.failed),
		wait:     m.sink.Histogram(waitDuration, k.queue),
	}
	if k.failed == inside.FailureForeign || k.failed == broker.FailureUnknown {
		s.foreign = m.sink.Counter(foreignMessages, k.queue, k.task)
	}
	return s
}

// Handle is middleware of a worker. An attempt that panics outside of its function, in
// other middleware, is not counted.
func (m *Meter) Handle(next dtask.HandleFunc) dtask.HandleFunc {
	return func(ctx context.Context, msg *dtask.Message) dtask.Outcome {
		task := m.task(ctx, msg.Task)
		running := m.running.get(task, func(string) *atomic.Int64 { return new(atomic.Int64) })
		running.Add(1)
		defer running.Add(-1)
		started := Start(msg)
		o := next(ctx, msg)
		m.record(ctx, msg, task, started, o)
		return o
	}
}

// A Started is the beginning of an attempt.
type Started struct {
	at     time.Time
	waited time.Duration // -1: not known
}

// Start notes that an attempt begins.
func Start(msg *dtask.Message) Started {
	s := Started{at: time.Now(), waited: -1}
	due := msg.NotBefore
	if msg.Attempt == 1 && msg.EnqueuedAt.After(due) {
		due = msg.EnqueuedAt
	}
	if !due.IsZero() {
		s.waited = max(s.at.Sub(due), 0) // clocks differ
	}
	return s
}

// record records the end of an attempt.
func (m *Meter) record(ctx context.Context, msg *dtask.Message, task string, started Started, o dtask.Outcome) {
	took := time.Since(started.at)
	k := attemptKey{queue: m.queues.name(msg.Queue), task: task, outcome: o.Kind}
	if failed := AttemptFailed(ctx, o); failed != "" {
		k.failed = m.errors.name(failed)
	}
	s := m.attempts.get(k, m.attemptSeries)
	whose := Observed{msg}
	s.consumed(ctx, 1)
	s.attempts(ctx, 1)
	s.process(ctx, took.Seconds(), whose)
	if started.waited >= 0 {
		s.wait(ctx, started.waited.Seconds(), whose)
	}
	if s.foreign != nil {
		s.foreign(ctx, 1)
	}
}

// A sentKey says which series an enqueue belongs to.
type sentKey struct{ queue, failed string }

type sentSeries struct {
	sent     Add
	duration Observe
}

func (m *Meter) sentSeries(k sentKey) *sentSeries {
	const send = "send"
	return &sentSeries{
		sent:     m.sink.Counter(sentMessages, send, k.queue, k.failed),
		duration: m.sink.Histogram(operationDuration, send, k.queue, k.failed),
	}
}

// Enqueue is middleware of a client. A batch is one operation for each of its queues and
// for each kind of failure.
func (m *Meter) Enqueue(next dtask.EnqueueFunc) dtask.EnqueueFunc {
	return func(ctx context.Context, ms []*dtask.Message) []error {
		start := time.Now()
		errs := next(ctx, ms)
		m.recordSent(ctx, ms, errs, time.Since(start))
		return errs
	}
}

func (m *Meter) recordSent(ctx context.Context, ms []*dtask.Message, errs []error, took time.Duration) {
	if len(errs) != len(ms) {
		return // other middleware is wrong, which package dtask says
	}
	if len(ms) == 1 {
		s := m.sent.get(m.sentKey(ms[0], errs[0]), m.sentSeries)
		s.sent(ctx, 1)
		s.duration(ctx, took.Seconds(), Observed{})
		return
	}
	counts := make(map[sentKey]int64)
	for i := range ms {
		counts[m.sentKey(ms[i], errs[i])]++
	}
	for k, n := range counts {
		s := m.sent.get(k, m.sentSeries)
		s.sent(ctx, n)
		s.duration(ctx, took.Seconds(), Observed{})
	}
}

func (m *Meter) sentKey(msg *dtask.Message, err error) sentKey {
	k := sentKey{queue: m.queues.name(msg.Queue)}
	if err != nil {
		k.failed = m.errors.name(EnqueueFailed(err))
	}
	return k
}
