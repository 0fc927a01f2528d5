package measure

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/dtask"
)

// watched is what the process works with.
type watched struct {
	mu       sync.Mutex
	worker   *dtask.Worker
	capacity map[string]int // by queue
	broker   *Broker        // nil: another process asks it
}

// WatchWorker makes [Meter.Read] tell of a worker.
func (m *Meter) WatchWorker(w *dtask.Worker, capacity map[string]int) {
	m.watched.mu.Lock()
	defer m.watched.mu.Unlock()
	m.watched.worker, m.watched.capacity = w, capacity
}

// WatchBroker makes [Meter.Read] tell of the broker.
func (m *Meter) WatchBroker(b *Broker) {
	m.watched.mu.Lock()
	defer m.watched.mu.Unlock()
	m.watched.broker = b
}

// Read yields the values of the metrics that are not recorded as they happen. The
// labels have the order of the metric. It waits for the broker for at most patience, and
// else yields what that has said before.
func (m *Meter) Read(patience time.Duration, yield func(metric *Metric, v float64, labels ...string)) {
	m.running.each(func(task string, n *atomic.Int64) { yield(running, float64(n.Load()), task) })
	m.watched.mu.Lock()
	worker, queues, b := m.watched.worker, m.watched.capacity, m.watched.broker
	m.watched.mu.Unlock()
	sums := make(map[string]int)
	for queue, n := range queues {
		sums[m.queues.name(queue)] += n
	}
	for queue, n := range sums {
		yield(capacity, float64(n), queue)
	}
	if worker != nil {
		yield(unrecorded, float64(worker.Stats().NotRecorded))
	}
	if b != nil {
		b.read(m.queues, patience, yield)
	}
}

// read yields what is known of the broker.
func (b *Broker) read(names *bounded, patience time.Duration, yield func(*Metric, float64, ...string)) {
	if n := b.identity().Connections; n > 0 {
		yield(brokerConnections, float64(n))
	}
	queues, at, orphans, ok := b.state(patience)
	if !ok {
		return
	}
	b.readOutbox(yield)
	up := 0.0
	if time.Since(at) < stateStale {
		up = 1
	}
	yield(brokerUp, up)
	if up == 0 {
		return
	}
	for queue, s := range summed(queues, names) {
		for state, n := range map[broker.State]int{
			broker.StateReady: s.Ready, broker.StateRunning: s.Running, broker.StateDelayed: s.Delayed, broker.StateDead: s.Dead,
		} {
			if n >= 0 {
				yield(queueMessages, float64(n), queue, string(state))
			}
		}
		if s.Paused {
			yield(queuePaused, 1, queue)
		} else {
			yield(queuePaused, 0, queue)
		}
		if s.aged {
			var age time.Duration
			if !s.oldest.IsZero() {
				age = max(time.Since(s.oldest), 0)
			}
			yield(queueLatency, age.Seconds(), queue)
		}
	}
	orphaned := make(map[string]int)
	for _, s := range orphans {
		orphaned[names.name(s.Queue)] += s.Ready + max(s.Delayed, 0)
	}
	for queue, n := range orphaned {
		yield(queueOrphaned, float64(n), queue)
	}
}

// summed returns the states by the names under which their queues are counted.
func summed(states []queueState, names *bounded) map[string]queueState {
	sums := make(map[string]queueState)
	for _, s := range states {
		name := names.name(s.Queue)
		sum, ok := sums[name]
		if !ok {
			sums[name] = s
			continue
		}
		sum.Ready, sum.Dead = sum.Ready+s.Ready, sum.Dead+s.Dead
		sum.Running, sum.Delayed = plus(sum.Running, s.Running), plus(sum.Delayed, s.Delayed)
		if sum.oldest.IsZero() || !s.oldest.IsZero() && s.oldest.Before(sum.oldest) {
			sum.oldest = s.oldest
		}
		sum.Paused = sum.Paused && s.Paused
		sums[name] = sum
	}
	return sums
}

// plus adds two counts, of which -1 is not known.
func plus(a, b int) int {
	if a < 0 || b < 0 {
		return -1
	}
	return a + b
}
