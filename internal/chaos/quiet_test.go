//go:build unix

package chaos

import (
	"testing"
	"time"
)

// T1: without faults every task is executed exactly once.
func TestNoFault(t *testing.T) {
	onBrokers(t, "T1 no fault", func(tr *trial) {
		tr.work(tr.url, 2, crew{Concurrency: 10})
		tr.produce(tr.url, load{Count: scale(5_000, 1_000_000), Callers: 64})
		tr.require(tr.finish(), allowance{})
	})
}

// T12: workers that are restarted one after the other, under load, lose and
// repeat nothing.
func TestRollingRestart(t *testing.T) {
	onBrokers(t, "T12 rolling restart", func(tr *trial) {
		c := crew{Concurrency: 8}
		tr.work(tr.url, 3, c)
		tr.produce(tr.url, load{Callers: 8, Pause: time.Millisecond, Sleep: 5 * time.Millisecond})
		for range scale(2, 10) {
			for i, old := range tr.workers {
				tr.workers[i] = tr.hire(tr.url, c)
				tr.workers[i].awaitReady()
				tr.dismiss(old)
			}
		}
		tr.require(tr.settle(), allowance{})
	})
}
