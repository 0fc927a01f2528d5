package rabbitmq_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dtaskhq/dtask/internal/testenv/rabbittest"
	"github.com/dtaskhq/dtask/runtime/broker"
)

// startSlow starts a worker that runs messages whose id begins with "long" until
// end, and the others at once.
func startSlow(t *testing.T, b broker.Broker, queue string, concurrency int, started, charged chan string, end <-chan struct{}) {
	c := consume(t, b, queue, concurrency)
	var slots sync.WaitGroup
	for range concurrency {
		slots.Go(func() {
			for d := range c.Deliveries() {
				m := d.Message()
				if m.Attempt != 1 {
					charged <- m.ID
				}
				started <- m.ID
				if strings.HasPrefix(m.ID, "long") {
					<-end
				}
				d.Settle(broker.Settlement{Verdict: broker.Done})
			}
		})
	}
	t.Cleanup(func() { c.Stop(); slots.Wait() })
}

// No message waits for a busy worker while another one is idle, whatever its
// class, on two queues at once.
func TestHoarding(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		concurrency, long, short int
		late                     bool // the second worker comes after the messages
	}{{1, 1, 3, false}, {1, 1, 40, true}, {4, 4, 20, false}, {10, 10, 60, true}} {
		t.Run(fmt.Sprintf("%+v", c), func(t *testing.T) {
			t.Parallel()
			url := rabbittest.URL(t)
			end := make(chan struct{})
			started, charged := make(chan string, 1000), make(chan string, 1000)
			first, second := open(t, url), open(t, url)
			queues := []string{"one", "two"}
			for _, q := range queues {
				startSlow(t, first, q, c.concurrency, started, charged, end)
				if !c.late {
					startSlow(t, second, q, c.concurrency, started, charged, end)
				}
			}
			t.Cleanup(func() { close(end) })
			n := 0
			for _, q := range queues {
				for i := range c.long {
					m := message(q)
					m.ID = fmt.Sprintf("long-%s-%d", q, i)
					m.Priority = broker.Priority(i%3 - 1)
					enqueue(t, first, m)
					n++
				}
			}
			for range n {
				<-started
			}
			n = 0
			for i := range c.short {
				for _, q := range queues {
					m := message(q)
					m.Priority = broker.Priority(i%3 - 1)
					enqueue(t, first, m)
					n++
				}
			}
			if c.late {
				for _, q := range queues {
					startSlow(t, second, q, c.concurrency, started, charged, end)
				}
			}
			begun := time.Now()
			for i := range n {
				select {
				case <-started:
				case <-time.After(patience):
					t.Fatalf("%d of %d short tasks wait for a worker that is busy", n-i, n)
				}
			}
			t.Logf("the last began after %v", time.Since(begun))
			if len(charged) > 0 {
				t.Errorf("%d messages were charged with an attempt", len(charged))
			}
		})
	}
}
