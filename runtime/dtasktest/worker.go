package dtasktest

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/dtask"
)

// A Worker runs recorded tasks one by one, in the goroutine of the test. The test
// moves its clock, so retries and delays take no time:
//
//	w := dtasktest.NewWorker(t, mail.Tasks(mailer))
//	mail.DelaySendWelcome(w.Context(ctx), args, dtask.In(time.Hour))
//	w.Advance(time.Hour)
//	step, ok := w.Step()
//
// [dtask.Handle.Wait] waits for the Step that runs the task. In the goroutine of
// the test, call Step or Drain before Wait. Code under test that delays and waits
// needs a goroutine of its own.
type Worker struct {
	*Recorder
	t      testing.TB
	worker *dtask.Worker

	mu   sync.Mutex
	time time.Time
	last dtask.Outcome
}

// A Step is one message that a [Worker] has handled.
type Step struct {
	// Message is the message as it was delivered.
	Message *dtask.Message

	// Outcome is what became of it.
	Outcome dtask.Outcome
}

// NewWorker returns a worker for the tables, with a [Recorder] of its own. Its
// clock starts at the present time.
func NewWorker(t testing.TB, tables ...dtask.Table) *Worker {
	t.Helper()
	w := &Worker{Recorder: NewRecorder(), t: t, time: time.Now()}
	w.worked = true
	w.client = WithClock(w.client, w.Now)
	var err error
	w.worker, err = dtask.NewWorker(w.client, dtask.WorkerConfig{
		Logger:     slog.New(slog.DiscardHandler),
		Middleware: []dtask.Middleware{w.observe},
	}, tables...)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// observe keeps the outcome of each message for Step.
func (w *Worker) observe(next dtask.HandleFunc) dtask.HandleFunc {
	return func(ctx context.Context, m *dtask.Message) dtask.Outcome {
		w.last = next(ctx, m)
		return w.last
	}
}

// Now returns the time of the worker's clock.
func (w *Worker) Now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.time
}

// Advance moves the clock forward.
func (w *Worker) Advance(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.time = w.time.Add(d)
}

// Step runs one message: of those that are due, the one that was enqueued first. It
// returns the message with its outcome, or false if none is due.
func (w *Worker) Step() (Step, bool) {
	w.t.Helper()
	m := w.take()
	if m == nil {
		return Step{}, false
	}
	delivered := *m
	Process(context.Background(), w.worker, &delivery{worker: w, message: m})
	return Step{Message: &delivered, Outcome: w.last}, true
}

// Drain calls Step until no message is due, and returns the steps.
func (w *Worker) Drain() []Step {
	w.t.Helper()
	var steps []Step
	for {
		s, ok := w.Step()
		if !ok {
			return steps
		}
		steps = append(steps, s)
	}
}

// take removes the first message that is due.
func (w *Worker) take() *dtask.Message {
	now := w.Now()
	r := w.Recorder
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, m := range r.queued {
		if !m.NotBefore.After(now) {
			r.queued = append(r.queued[:i:i], r.queued[i+1:]...)
			return m
		}
	}
	return nil
}

// A delivery is a message taken from the recorder.
type delivery struct {
	worker  *Worker
	message *dtask.Message
}

func (d *delivery) Message() *dtask.Message { return d.message }

// Cancelled implements [broker.Delivery]: what is cancelled is not taken.
func (d *delivery) Cancelled() bool { return false }

func (d *delivery) Settle(s broker.Settlement) {
	r := d.worker.Recorder
	r.mu.Lock()
	defer r.mu.Unlock()
	r.results.settle(d.message, s)
	switch s.Verdict {
	case broker.Requeue:
		r.queued = append(r.queued, d.message)
	case broker.Dead:
		r.dead = append(r.dead, d.message)
	}
	for _, m := range s.Then {
		r.queued = append(r.queued, m)
		r.results.expect(m)
	}
}
