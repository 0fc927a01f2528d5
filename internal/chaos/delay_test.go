//go:build unix

package chaos

import (
	"fmt"
	"slices"
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
		tr.produce(through, load{Callers: 8, Pause: 10 * time.Millisecond, Delayed: 100, MaxDelay: scale(5*time.Second, time.Minute)})
		inject(scale(10*time.Second, 90*time.Second), faults...)
		a := tr.settle()
		tr.require(a, allowance{duplicated: a.executed/100 + murders*2*concurrency})
	})
}

// T11: many tasks that fail at the same time, again and again, get just the
// attempts they are allowed, and all come through.
func TestRetryStorm(t *testing.T) {
	onBrokers(t, "T11 retry storm", func(tr *trial) {
		tr.work(tr.url, 2, crew{Concurrency: 20})
		tr.produce(tr.url, load{Task: flaky.Name(), Callers: 32, Count: scale(300, 10_000)})
		tr.require(tr.finish(), allowance{})
		others := make(map[string]int)
		for _, attempts := range tr.record.starts {
			if !slices.Equal(attempts, []int{1, 2, 3, 4, 5, 6}) {
				others[fmt.Sprint(attempts)]++
			}
		}
		if len(others) > 0 {
			tr.Errorf("other attempts than 1 to 6: %v", others)
		}
		if strings.HasPrefix(tr.url, "amqp") {
			tr.nothingLeft()
		}
	})
}

// nothingLeft waits until no queue of RabbitMQ holds a message, those of the
// delays included. RabbitMQ counts every five seconds.
func (tr *trial) nothingLeft() {
	tr.Helper()
	tr.eventually("all queues are empty", func() bool {
		for line := range strings.Lines(rabbittest.Ctl(tr, "list_queues", "-p", tr.vhost(), "name", "messages")) {
			name, messages, _ := strings.Cut(strings.TrimSpace(line), "\t")
			if messages != "0" && name != "name" && name != "dtask.queues" {
				return false
			}
		}
		return true
	})
}
