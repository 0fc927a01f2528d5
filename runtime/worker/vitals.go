package worker

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/dtaskhq/dtask/runtime/dtask"
	"github.com/dtaskhq/dtask/runtime/internal/inside"
)

const (
	// beatInterval is the time between two reports.
	beatInterval = time.Second

	// probeInterval is the time between two looks at the broker.
	probeInterval = 5 * time.Second

	// stalledAfter is how long a worker may leave due messages lie while it
	// runs nothing.
	stalledAfter = time.Minute
)

// vitals knows whether the process is live and ready, and reports it.
type vitals struct {
	stop  context.Context // ends when the process is to stop
	nudge chan struct{}   // asks for a report at once

	mu      sync.Mutex
	service *service  // nil until the broker has answered
	broker  error     // what the broker said last
	due     string    // a queue with messages that wait, or ""
	moved   time.Time // the last time that it was busy, or nothing was due
	settled int64     // messages, as of moved
}

func newVitals(stop context.Context) *vitals {
	return &vitals{stop: stop, nudge: make(chan struct{}, 1)}
}

// beat publishes reports until ctx ends, and a last one then.
func (v *vitals) beat(ctx context.Context, interval time.Duration, publish func(report)) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		publish(v.report(time.Now()))
		select {
		case <-ctx.Done():
			publish(v.report(time.Now()))
			return
		case <-tick.C:
		case <-v.nudge:
		}
	}
}

// watch asks the broker again and again what is due, from when the service
// consumes its queues until ctx ends.
func (v *vitals) watch(ctx context.Context, s *service) {
	select {
	case <-ctx.Done():
		return
	case <-s.worker.Ready():
	}
	tick := time.NewTicker(probeInterval)
	defer tick.Stop()
	for {
		due, err := s.due(ctx)
		if err == nil && due != "" && v.idleFor() > stalledAfter/2 {
			if err = s.lookForPaused(ctx); err == nil {
				due, err = s.due(ctx)
			}
			if s.tasksPaused {
				due = "" // it may be what the broker puts off
			}
		}
		v.mu.Lock()
		v.service, v.broker, v.due = s, err, due
		v.mu.Unlock()
		select {
		case v.nudge <- struct{}{}:
		default:
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// report returns the state of the process.
func (v *vitals) report(now time.Time) report {
	v.mu.Lock()
	defer v.mu.Unlock()
	r := report{Live: true, Memory: memory()}
	if v.service == nil {
		r.Problem = "the broker has not answered yet"
		return r
	}
	r.Stats, r.Tasks = v.service.worker.Stats(), v.service.counts.all(v.service.unrecorded())
	r.Orphaned = v.service.orphans.last()
	_, quiet := inside.Concurrency(v.service.worker)
	if quiet {
		v.moved = now
	}
	switch stalled := v.stalled(now, r.Stats); {
	case quiet:
		r.Problem = "quiet: an operator has told this process to fetch no more"
	case v.stop.Err() != nil:
		r.Problem = "stopping"
	case v.broker != nil:
		r.Problem = fmt.Sprintf("the broker does not answer: %v", v.broker)
	case stalled > stalledAfter:
		r.Live = false
		r.Problem = fmt.Sprintf("messages are due on queue %s and none was taken for %v", v.due, stalled.Round(time.Second))
	default:
		r.Ready = true
	}
	return r
}

// stalled returns for how long the worker has taken nothing although messages
// are due.
func (v *vitals) stalled(now time.Time, s dtask.WorkerStats) time.Duration {
	if n := settled(s); n != v.settled || s.Running > 0 || v.due == "" || v.broker != nil || v.moved.IsZero() {
		v.settled, v.moved = n, now
	}
	return now.Sub(v.moved)
}

// idleFor returns for how long messages have been due and none was taken, as of
// the last report.
func (v *vitals) idleFor() time.Duration {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.moved.IsZero() {
		return 0
	}
	return time.Since(v.moved)
}
