package dtask

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// WorkerConfig says how a worker runs. The zero value means the defaults.
type WorkerConfig struct {
	// Queues are the queues to consume, each with how many tasks of it run at
	// once; 0 means Concurrency. Nil means all queues of the tables.
	Queues map[string]int

	// Concurrency is how many tasks of a queue run at once. 0 means 10.
	Concurrency int

	// Grace is how long running tasks may take to finish after the worker was
	// told to stop, before their contexts are cancelled. 0 means 30 seconds, a
	// negative value means none.
	Grace time.Duration

	// KeepUnknown is how long messages that no worker knows are handed back,
	// counted from the first time, before they go to the dead letters. It is
	// the time a rolling deploy may take. 0 means 1 hour.
	KeepUnknown time.Duration

	// Middleware wraps the handling of every message, inside of [Logging].
	Middleware []Middleware

	// Scheduled says that the periodic tasks of the tables are enqueued at
	// their times: by package worker, here or in another process, or by
	// worker.Schedule. Without it Run warns if there are any, for a Worker
	// only executes them.
	Scheduled bool

	// Logger receives what the worker has to say. Nil means slog.Default().
	Logger *slog.Logger
}

// How long a worker bears with tasks that ignore the end of their contexts.
const (
	// cancelWait is how long a worker that stops waits for tasks whose
	// contexts it has cancelled.
	cancelWait = 5 * time.Second

	// abortWait is the part of it that [Worker.Abort] leaves them.
	abortWait = 500 * time.Millisecond

	// stuckAfter is how long after its timeout a task is given up.
	stuckAfter = 10 * time.Second
)

// A Worker runs the tasks of its tables. Make one with [NewWorker].
type Worker struct {
	client *Client
	tasks  dispatch
	queues map[string]int
	config WorkerConfig
	log    *slog.Logger
	now    func() time.Time
	handle HandleFunc // the chain of middleware around attempt

	mu       sync.Mutex
	slots    map[*slot]struct{}
	occupied sync.WaitGroup // slots that have not ended

	unknown sync.Map // task and schema → struct{}: what was logged once

	ready chan struct{} // closed once all queues are consumed
	abort chan struct{} // closed by Abort
	once  sync.Once     // closes abort

	stats struct {
		done, retried, buried, snoozed, returned, stuck atomic.Int64
	}
}

// WorkerStats counts what became of the messages a worker took.
type WorkerStats struct {
	Done     int64 // executed
	Retried  int64 // failed, and scheduled again
	Buried   int64 // sent to the dead letters
	Snoozed  int64 // put off by their own wish
	Returned int64 // handed back: unknown to this build, or unfinished at the end
	Stuck    int64 // of all attempts: given up because they ignored their timeout
	Running  int64 // in the hands of a task now
}

// NewWorker returns a worker that runs the tasks of the tables on the broker
// of c. It is an error if two tables bind the same task, or if there is
// nothing to consume.
func NewWorker(c *Client, config WorkerConfig, tables ...Table) (*Worker, error) {
	if c == nil {
		return nil, errNilClient
	}
	tasks, err := merge(tables)
	if err != nil {
		return nil, err
	}
	config.Concurrency = cmp.Or(config.Concurrency, 10)
	config.Grace = cmp.Or(config.Grace, 30*time.Second)
	config.KeepUnknown = cmp.Or(config.KeepUnknown, time.Hour)
	w := &Worker{
		client: c,
		tasks:  tasks,
		queues: make(map[string]int),
		config: config,
		log:    cmp.Or(config.Logger, slog.Default()),
		now:    c.now,
		slots:  make(map[*slot]struct{}),
		ready:  make(chan struct{}),
		abort:  make(chan struct{}),
	}
	w.handle = w.attempt
	for _, mw := range slices.Backward(append([]Middleware{Logging(w.log)}, config.Middleware...)) {
		w.handle = mw(w.handle)
	}
	for q, n := range config.Queues {
		w.queues[q] = cmp.Or(n, config.Concurrency)
	}
	if config.Queues == nil {
		for _, t := range tables {
			for _, q := range t.Queues() {
				w.queues[q] = config.Concurrency
			}
		}
	}
	if len(w.queues) == 0 {
		return nil, errors.New("worker has no queue to consume; pass the generated Tasks(…) of a package, or name the queues")
	}
	for q, n := range w.queues {
		if err := ValidateQueue(q); err != nil {
			return nil, err
		}
		if n < 1 {
			return nil, fmt.Errorf("concurrency %d of queue %q: use 1 or more", n, q)
		}
	}
	return w, nil
}

// Ready returns a channel that is closed once [Worker.Run] consumes all queues.
func (w *Worker) Ready() <-chan struct{} { return w.ready }

// Abort cuts the stop short: [Worker.Run] cancels the contexts of the running
// tasks, gives them a moment, and hands back those that go on. It is for the
// second signal, after ctx of Run has ended. Calls after the first have no
// effect.
func (w *Worker) Abort() { w.once.Do(func() { close(w.abort) }) }

// Stats returns the counts so far.
func (w *Worker) Stats() WorkerStats {
	var running int64
	for _, s := range w.openSlots() {
		if s.current.Load() != nil {
			running++
		}
	}
	return WorkerStats{
		Done:     w.stats.done.Load(),
		Retried:  w.stats.retried.Load(),
		Buried:   w.stats.buried.Load(),
		Snoozed:  w.stats.snoozed.Load(),
		Returned: w.stats.returned.Load(),
		Stuck:    w.stats.stuck.Load(),
		Running:  running,
	}
}

// Run runs tasks until ctx ends, then stops in good order: it fetches nothing
// more, lets the running tasks finish within the grace period, cancels the
// contexts of those that do not, and hands back what is left at no cost of an
// attempt. It returns nil after such a stop, and an error if a queue cannot be
// consumed. Run may be called once.
func (w *Worker) Run(ctx context.Context) error {
	w.warnOfPeriodic()
	w.warnOfQueues()
	tasksCtx, cancelTasks := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cancelTasks(nil)

	var consumers []Consumer
	for _, q := range slices.Sorted(maps.Keys(w.queues)) {
		c, err := w.client.broker.Consume(ctx, ConsumeOptions{Queue: q, Concurrency: w.queues[q]})
		if err != nil {
			w.close(consumers)
			if ctx.Err() != nil {
				return nil // told to stop before it began
			}
			return fmt.Errorf("dtask: consume queue %q: %w", q, err)
		}
		consumers = append(consumers, c)
		for range w.queues[q] {
			w.openSlot(tasksCtx, c.Deliveries())
		}
		w.log.Info("consuming", "queue", q, "concurrency", w.queues[q])
	}

	close(w.ready)
	w.watch(ctx)
	w.log.Info("stopping", "grace", max(w.config.Grace, 0))
	for _, c := range consumers {
		c.Stop()
	}
	idle := make(chan struct{})
	go func() { w.occupied.Wait(); close(idle) }()
	if !waitFor(idle, w.config.Grace, w.abort) {
		cancelTasks(errStopped)
		if !waitFor(idle, abortWait, nil) && !waitFor(idle, cancelWait-abortWait, w.abort) {
			w.handBackRunning()
		}
	}
	w.close(consumers)
	w.log.Info("stopped", "done", w.stats.done.Load(), "retried", w.stats.retried.Load(),
		"buried", w.stats.buried.Load(), "returned", w.stats.returned.Load())
	return nil
}

// warnOfPeriodic says what would keep periodic tasks from ever running.
func (w *Worker) warnOfPeriodic() {
	var periodic []string
	for name, h := range w.tasks {
		if h.Spec.Cron != "" {
			periodic = append(periodic, name)
		}
	}
	if len(periodic) > 0 && !w.config.Scheduled {
		slices.Sort(periodic)
		w.log.Warn("periodic tasks are enqueued by package worker or worker.Schedule; this worker only executes them; set WorkerConfig.Scheduled if one of the two runs",
			"tasks", strings.Join(periodic, ", "))
	}
}

// warnOfQueues says which queues may be misspelt. They need not be: messages may
// be sent to any queue, and other builds have other tasks.
func (w *Worker) warnOfQueues() {
	used := make(map[string]bool)
	for _, h := range w.tasks {
		used[h.Spec.Queue] = true
	}
	known := cmp.Or(strings.Join(slices.Sorted(maps.Keys(used)), ", "), "none")
	for _, q := range slices.Sorted(maps.Keys(w.queues)) {
		if !used[q] {
			w.log.Warn(fmt.Sprintf("no task of this program is on queue %q; its queues are %s", q, known))
		}
	}
}

// close closes the consumers; their settlements get a bounded time to become
// durable.
func (w *Worker) close(consumers []Consumer) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	var closing sync.WaitGroup
	for _, c := range consumers {
		closing.Go(func() {
			if err := c.Close(ctx); err != nil {
				w.log.Warn("consumer not closed cleanly; unsettled tasks will run again", "err", err)
			}
		})
	}
	closing.Wait()
}

// waitFor reports whether done is closed within d, and before cut is.
func waitFor(done <-chan struct{}, d time.Duration, cut <-chan struct{}) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-done:
		return true
	case <-t.C:
	case <-cut:
	}
	select {
	case <-done:
		return true
	default:
		return false
	}
}
