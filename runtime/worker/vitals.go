package worker

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/dtaskhq/dtask/runtime/dtask"
)

// A report is the state of a process, for probes, for systemd, and for the
// supervisor.
type report struct {
	// Live: the process can do its work, or waits for what it needs. One that
	// is not live is to be restarted.
	Live bool `json:"live"`

	// Ready: the broker answers and all queues are consumed.
	Ready bool `json:"ready"`

	// Problem says why the process is not live or not ready.
	Problem string `json:"problem,omitempty"`

	// Memory is what the process uses, in bytes.
	Memory int64 `json:"memory_bytes"`

	// Stats and Tasks count what became of messages.
	Stats dtask.WorkerStats     `json:"stats"`
	Tasks map[string]taskCounts `json:"tasks"`
}

// plus adds the counts and the memory of s to those of r.
func (r report) plus(s report) report {
	r.Memory += s.Memory
	r.Stats.Done += s.Stats.Done
	r.Stats.Retried += s.Stats.Retried
	r.Stats.Buried += s.Stats.Buried
	r.Stats.Snoozed += s.Stats.Snoozed
	r.Stats.Returned += s.Stats.Returned
	r.Stats.Stuck += s.Stats.Stuck
	r.Stats.Running += s.Stats.Running
	tasks := maps.Clone(r.Tasks)
	if tasks == nil {
		tasks = make(map[string]taskCounts)
	}
	for name, c := range s.Tasks {
		tasks[name] = tasks[name].plus(c)
	}
	r.Tasks = tasks
	return r
}

const (
	// beatInterval is the time between two reports.
	beatInterval = time.Second

	// probeInterval is the time between two looks at the broker.
	probeInterval = 5 * time.Second

	// stalledAfter is how long a worker may leave due messages lie while it
	// runs nothing.
	stalledAfter = time.Minute
)

// vitals watches over a process.
type vitals struct {
	stop  context.Context // ends when the process is to stop
	nudge chan struct{}   // asks for a report at once

	mu      sync.Mutex
	service *service // nil until the broker has answered
	broker  error    // what the broker said last
	due     string   // a queue with messages that wait, or ""
	moved   time.Time
	settled int64 // as of moved
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

// watch looks after the broker until ctx ends, from when the service consumes
// its queues.
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

// due returns a queue of the service that has messages waiting to be
// delivered, or "". Paused queues count only if the service does not know that
// they are.
func (s *service) due(ctx context.Context) (queue string, err error) {
	ctx, cancel := context.WithTimeout(ctx, probeInterval)
	defer cancel()
	for _, q := range s.queues {
		if s.paused[q] {
			continue
		}
		due, err := s.client.Broker().Due(ctx, q)
		if err != nil {
			return "", err
		}
		if due {
			return q, nil
		}
	}
	return "", nil
}

// lookForPaused notes which queues are paused, for due. It is dear: it is
// called where messages are due and nobody takes them.
func (s *service) lookForPaused(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, probeInterval)
	defer cancel()
	states, err := s.client.Broker().Queues(ctx)
	if err != nil {
		return err
	}
	s.paused = make(map[string]bool)
	for _, q := range states {
		s.paused[q.Queue] = q.Paused
	}
	return nil
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
	r.Stats, r.Tasks = v.service.worker.Stats(), v.service.counts.all()
	switch stalled := v.stalled(now, r.Stats); {
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

// settled returns how many messages a worker has settled.
func settled(s dtask.WorkerStats) int64 {
	return s.Done + s.Retried + s.Buried + s.Snoozed + s.Returned
}
