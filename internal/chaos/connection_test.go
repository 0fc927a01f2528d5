//go:build unix

package chaos

import (
	"testing"
	"time"
)

// T2: connections are reset, stalled, and closed by RabbitMQ, under load.
func TestConnections(t *testing.T) {
	const workers, concurrency = 2, 10
	tr := rabbit(t, "T2 connections cut, frozen, closed")
	proxy, through := tr.proxied()
	tr.work(through, workers, crew{Concurrency: concurrency})
	tr.produce(through, load{Callers: scale(16, 64)})
	faults := 0
	inject(
		scale(17*time.Second, 3*time.Minute),
		fault{3 * time.Second, func() { faults++; proxy.Cut() }},
		fault{7500 * time.Millisecond, func() { faults++; freeze(proxy, time.Second) }},
		fault{15 * time.Second, func() { faults++; freeze(proxy, 4*time.Second) }},
		fault{10 * time.Second, func() { faults++; tr.closeAll() }},
	)
	// What was executed, and is not acknowledged, is executed again: of each worker
	// about as much as it executes at a time. It does not depend on how many tasks the
	// machine gets done between the faults.
	tr.require(tr.settle(), allowance{duplicated: faults * workers * concurrency})
}

// T5: tasks are acknowledged on the connection that delivered them, or not at
// all. If a client acknowledges a delivery of a lost connection on the next one,
// it removes another task. That task is lost when its worker dies.
func TestStaleAcknowledgements(t *testing.T) {
	const workers, concurrency = 3, 16
	tr := rabbit(t, "T5 cut, then kill")
	proxy, through := tr.proxied()
	c := crew{Concurrency: concurrency}
	sleep, cycles := scale(time.Second, 2*time.Second), scale(5, 12)
	// Each cut and each kill costs what is in execution an attempt.
	tr.produce(tr.url, load{Count: scale(500, 2000), Callers: 32, Sleep: sleep, Retries: 100})
	tr.work(through, workers, c)
	inject(time.Duration(cycles)*2*sleep, fault{2 * sleep, func() {
		proxy.Cut()
		time.Sleep(sleep * 6 / 10) // connected again, and half way through the tasks
		tr.murder(through, c)
	}})
	// What is in execution at a cut or a kill is executed again, no more.
	tr.require(tr.finish(), allowance{duplicated: cycles * (workers + 1) * concurrency})
}
