package rabbitmq_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/brokertest"
	"github.com/dtaskhq/dtask/runtime/rabbitmq"
)

// What every test of a broker uses.
var (
	testContext = brokertest.Context
	message     = brokertest.Message
	enqueue     = brokertest.Enqueue
	receive     = brokertest.Receive
	eventually  = brokertest.Eventually
)

const patience = brokertest.Patience

var serial atomic.Int64 // for names and ids

// open opens a broker that is closed at the end of the test.
func open(t *testing.T, url string) *rabbitmq.Broker {
	t.Helper()
	b, err := rabbitmq.Open(testContext(t), url, broker.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

func consume(t *testing.T, b broker.Broker, queue string, concurrency int) broker.Consumer {
	t.Helper()
	c, err := b.Consume(testContext(t), broker.ConsumeOptions{Queue: queue, Concurrency: concurrency})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(testContext(t)) })
	return c
}

// A load enqueues without pause from several goroutines, and executes what it
// has enqueued, while a test does harm.
type load struct {
	t         *testing.T
	b         broker.Broker
	cancel    context.CancelFunc
	producers sync.WaitGroup
	workers   sync.WaitGroup
	consumer  broker.Consumer

	mu        sync.Mutex
	confirmed map[string]time.Duration // by id: the delay
	executed  map[string]int
}

// startLoad starts a load on a queue. Every third message is delayed.
func startLoad(t *testing.T, b broker.Broker, queue string) *load {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	l := &load{
		t: t, b: b, cancel: cancel,
		consumer:  consume(t, b, queue, 10),
		confirmed: make(map[string]time.Duration), executed: make(map[string]int),
	}
	t.Cleanup(cancel)
	for i := range 4 {
		l.producers.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				m := message(queue)
				if i == 0 && n%3 == 0 {
					m.NotBefore = time.Now().Add(time.Duration(n%5) * 300 * time.Millisecond)
				}
				try, done := context.WithTimeout(context.Background(), patience)
				err := b.Enqueue(try, m)
				done()
				if err != nil {
					t.Errorf("enqueue: %v", err)
					continue
				}
				l.mu.Lock()
				l.confirmed[m.ID] = 0
				if !m.NotBefore.IsZero() {
					l.confirmed[m.ID] = m.NotBefore.Sub(m.EnqueuedAt)
				}
				l.mu.Unlock()
				time.Sleep(time.Millisecond)
			}
		})
	}
	for range 10 {
		l.workers.Go(func() {
			for d := range l.consumer.Deliveries() {
				m := d.Message()
				if early := time.Until(m.NotBefore.Truncate(time.Millisecond)); early > 0 {
					t.Errorf("%s is %v early", m.ID, early)
				}
				l.mu.Lock()
				l.executed[m.ID]++
				n := l.executed[m.ID]
				l.mu.Unlock()
				if m.Attempt == 1 && n == 1 && m.ID[len(m.ID)-1]%5 == 0 {
					m.Attempt++ // a failure, with a retry
					m.NotBefore = time.Now().Add(50 * time.Millisecond)
					d.Settle(broker.Settlement{Verdict: broker.Requeue})
					continue
				}
				d.Settle(broker.Settlement{Verdict: broker.Done})
			}
		})
	}
	return l
}

// progress waits until n more messages were executed.
func (l *load) progress(n int) {
	l.t.Helper()
	count := func() int {
		l.mu.Lock()
		defer l.mu.Unlock()
		return len(l.executed)
	}
	want := count() + n
	eventually(l.t, func() string {
		if got := count(); got < want {
			return fmt.Sprintf("%d messages executed, want %d: no progress", got, want)
		}
		return ""
	})
}

// finish ends the load and checks that everything confirmed was executed.
func (l *load) finish() {
	l.t.Helper()
	l.cancel()
	l.producers.Wait()
	eventually(l.t, func() string {
		l.mu.Lock()
		defer l.mu.Unlock()
		lost := 0
		var missing []string
		for id, delay := range l.confirmed {
			if l.executed[id] == 0 {
				lost++
				missing = append(missing, fmt.Sprintf("%s (delay %v)", id, delay))
			}
		}
		if lost > 0 {
			return fmt.Sprintf("%d of %d confirmed messages are lost: %v", lost, len(l.confirmed), missing)
		}
		return ""
	})
	l.consumer.Stop()
	l.workers.Wait()
	if err := l.consumer.Close(testContext(l.t)); err != nil {
		l.t.Errorf("close the consumer: %v", err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.t.Logf("%d confirmed, %d executed", len(l.confirmed), len(l.executed))
}
