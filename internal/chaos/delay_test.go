//go:build unix

package chaos

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/dtaskhq/dtask/internal/testenv/rabbittest"
)

// T7: delayed tasks are late because of faults, but never early, nor lost.
func TestDelays(t *testing.T) {
	onBrokers(t, "T7 delays", func(tr *trial) {
		const concurrency = 10
		c := crew{Concurrency: concurrency}
		murders := 0
		through, faults := tr.url, []fault{}
		if strings.HasPrefix(tr.url, "amqp") {
			var proxy *rabbittest.Proxy
			proxy, through = tr.proxied()
			faults = append(faults, fault{1700 * time.Millisecond, proxy.Cut}, fault{5 * time.Second, tr.closeAll})
		}
		faults = append(faults, fault{2 * time.Second, func() { murders++; tr.murder(through, c) }})
		tr.work(through, 2, c)
		tr.produce(through, load{Callers: scale(8, 32), Pause: 10 * time.Millisecond, Delayed: 100, MaxDelay: scale(5*time.Second, time.Minute)})
		inject(scale(10*time.Second, 3*time.Minute), faults...)
		a := tr.settle()
		tr.require(a, allowance{duplicated: a.executed/100 + murders*(2*concurrency+burst)})
	})
}

// T11: many tasks that fail at the same time, again and again, get the
// attempts they are allowed, each once, and all come through.
//
// On RabbitMQ an attempt can be spent without a run: if a message comes into an
// empty queue just when a worker makes its prefetch smaller, it counts as
// delivered. There the test requires only that this is rare.
func TestRetryStorm(t *testing.T) {
	onBrokers(t, "T11 retry storm", func(tr *trial) {
		tr.work(tr.url, 2, crew{Concurrency: 20})
		tr.produce(tr.url, load{Task: flaky.Name(), Callers: 32, Count: scale(300, 10_000)})
		tr.require(tr.finish(), allowance{})
		skipped := tr.skippedAttempts()
		if !strings.HasPrefix(tr.url, "amqp") {
			if skipped > 0 {
				tr.Errorf("%d tasks have skipped an attempt", skipped)
			}
			return
		}
		fmt.Fprintf(tr.Output(), "%s: %d tasks have skipped an attempt\n", tr.name, skipped)
		if most := len(tr.record.starts) / 1000; skipped > most {
			tr.Errorf("%d tasks have skipped an attempt, at most %d allowed", skipped, most)
		}
		tr.nothingLeft()
	})
}

// skippedAttempts returns how many tasks have not had all the attempts from 1
// to 6. It fails the test for those whose attempts are none of these, in that
// order.
func (tr *trial) skippedAttempts() (skipped int) {
	tr.Helper()
	for id, attempts := range tr.record.starts {
		last := 0
		for _, n := range attempts {
			if n <= last || n > 6 {
				tr.Errorf("attempts of %s: %v", id, attempts)
			}
			last = n
		}
		if len(attempts) < 6 {
			skipped++
		}
	}
	return skipped
}

// nothingLeft waits until no queue of RabbitMQ holds a message, those of the
// delays included. RabbitMQ counts every five seconds.
func (tr *trial) nothingLeft() {
	tr.Helper()
	tr.eventually("all queues are empty", func() bool {
		left := rabbittest.Eval(tr, fmt.Sprintf(`[Name || [{name, {resource, _, _, Name}}, {messages, N}] <- rabbit_amqqueue:info_all(<<%q>>, [name, messages]),
			N =/= 0, Name =/= <<"dtask.queues">>, Name =/= <<"dtask.census">>]`, tr.vhost()))
		return left == "[]"
	})
}
