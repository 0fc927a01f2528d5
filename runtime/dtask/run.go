package dtask

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"
)

// How long a worker waits for tasks that ignore the end of their contexts.
const (
	// cancelWait is how long a worker that stops waits for tasks whose
	// contexts it has cancelled.
	cancelWait = 5 * time.Second

	// abortWait is the part of cancelWait that [Worker.Abort] does not cut short.
	abortWait = 500 * time.Millisecond
)

// Run runs tasks until ctx ends. Then it stops:
//
//  1. It fetches no more messages.
//  2. It waits for the running tasks, for the grace period.
//  3. It cancels the contexts of the tasks that are not finished.
//  4. It hands back what is left. That uses up no attempt.
//
// Run returns nil after such a stop. It returns an error if it cannot consume a
// queue, or if the broker gives up: its store was replaced, say, or is damaged.
// Call Run once.
func (w *Worker) Run(ctx context.Context) error {
	w.warnOfPeriodic()
	w.warnOfQueues()
	tasksCtx, cancelTasks := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cancelTasks(nil)

	for _, q := range slices.Sorted(maps.Keys(w.queues)) {
		if err := w.openLane(ctx, &lane{ctx: tasksCtx, queue: q, concurrency: w.queues[q]}); err != nil {
			w.close()
			if ctx.Err() != nil {
				return nil // told to stop before it began
			}
			return fmt.Errorf("dtask: consume queue %q: %w", q, err)
		}
	}

	close(w.ready)
	failure := w.watch(ctx)
	w.log.Info("stopping", "grace", max(w.config.Grace, 0))
	for _, c := range w.stopLanes() {
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
	w.close()
	stats := w.Stats()
	if stats.NotRecorded > 0 {
		w.log.Error("the broker has not recorded all outcomes; these tasks may run again", "not_recorded", stats.NotRecorded)
	}
	w.log.Info("stopped", "done", stats.Done, "retried", stats.Retried, "dead", stats.Dead,
		"handed_back", stats.HandedBack, "cancelled", stats.Cancelled, "not_recorded", stats.NotRecorded)
	return failure
}

// close closes the consumers; their settlements get a bounded time to become
// durable.
func (w *Worker) close() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	var closing sync.WaitGroup
	for _, c := range w.stopLanes() {
		closing.Go(func() {
			if err := c.Close(ctx); err != nil {
				w.log.Warn("consumer not closed cleanly; tasks without a recorded outcome run again", "err", err)
			}
		})
	}
	closing.Wait()
}

// waitFor reports whether done is closed within d and before cut is closed.
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
