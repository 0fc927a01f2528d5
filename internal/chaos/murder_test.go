//go:build unix

package chaos

import (
	"strings"
	"testing"
	"time"
)

// T4: workers are killed, and suspended for longer than their connections
// last, in the middle of tasks.
func TestMurder(t *testing.T) {
	onBrokers(t, "T4 workers killed and suspended", func(tr *trial) {
		const concurrency = 16
		url := tr.url
		if strings.HasPrefix(url, "amqp") {
			url += "?heartbeat=1"
		}
		c := crew{Concurrency: concurrency}
		tr.work(url, 3, c)
		tr.produce(url, load{Callers: 16, Pause: 10 * time.Millisecond, Sleep: 20 * time.Millisecond})
		faults := 0
		inject(
			scale(12*time.Second, 3*time.Minute),
			fault{time.Second, func() { faults++; tr.murder(url, c) }},
			fault{scale(5500*time.Millisecond, 30*time.Second), func() { faults++; tr.suspend(scale(5*time.Second, 20*time.Second)) }},
		)
		// What is in execution, or just executed, is executed again.
		tr.require(tr.settle(), allowance{duplicated: faults * 2 * concurrency})
	})
}

// T8: one task that kills its worker is moved to the dead letters after its
// attempts. The other tasks are executed.
func TestPoison(t *testing.T) {
	onBrokers(t, "T8 poison", func(tr *trial) {
		const concurrency = 10
		c := crew{Concurrency: concurrency}
		healthy := load{Callers: 16, Count: scale(1_000, 10_000), Sleep: 5 * time.Millisecond}
		tr.produce(tr.url, healthy)
		tr.produce(tr.url, load{Task: poison.Name(), Callers: 1, Count: 1})
		tr.workers = []*process{tr.hire(tr.url, c), tr.hire(tr.url, c)} // may be dead before they are ready
		deaths := 0
		tr.eventually("the poison is a dead letter", func() bool {
			for i, w := range tr.workers {
				select {
				case <-w.gone:
					deaths++
					tr.workers[i] = tr.hire(tr.url, c)
				default:
				}
			}
			tr.update()
			return deaths == tr.starts() && tr.state().Dead > 0
		})
		a := tr.finish()
		tr.require(a, allowance{duplicated: deaths * 2 * concurrency, dead: 1})
		// One more than its attempts: the last one alone, to be sure of it.
		if limit := poison.Spec().Retries + 2; deaths > limit {
			tr.Errorf("the poison killed %d workers, at most %d allowed", deaths, limit)
		}
	})
}

// starts returns how many attempts were noted when they began.
func (tr *trial) starts() (n int) {
	for _, attempts := range tr.record.starts {
		n += len(attempts)
	}
	return n
}
