// Package brokertest holds what every [broker.Broker] must do, as tests. A
// broker's own tests call [Run]:
//
//	func TestMain(m *testing.M) { brokertest.Main(m) }
//
//	func TestConformance(t *testing.T) {
//		brokertest.Run(t, func(t *testing.T) string {
//			return "sqlite:" + filepath.Join(t.TempDir(), "tasks.db")
//		})
//	}
package brokertest

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// A Store makes a new, empty store and returns the URL under which any process
// can open it with [broker.Open]. It removes the store when t ends.
type Store func(t *testing.T) (url string)

// patience is how long the suite waits for what must happen. Nothing is
// asserted about time but that a message is never early.
const patience = 60 * time.Second

// Run runs the suite.
func Run(t *testing.T, store Store) {
	for _, c := range []struct {
		name string
		test func(*testing.T, Store)
	}{
		{"RoundTrip", testRoundTrip},
		{"ForeignMinimum", testMinimalMessage},
		{"Durable", testDurable},
		{"QueuesAreSeparate", testQueuesAreSeparate},
		{"NotBefore", testNotBefore},
		{"EnqueueMany", testEnqueueMany},
		{"ExactlyOnceWithoutFaults", testExactlyOnce},
		{"EnqueueCancelled", testEnqueueCancelled},
		{"IgnoreDuplicate", testIgnoreDuplicate},
		{"EnqueueInForeignTransaction", testForeignTransaction},
		{"Closed", testClosed},
		{"Done", testDone},
		{"SettleTwice", testSettleTwice},
		{"Requeue", testRequeue},
		{"RequeueLater", testRequeueLater},
		{"Bury", testBury},
		{"Then", testThen},
		{"ThenFields", testThenFields},
		{"ThenKeep", testThenKeep},
		{"ThenChains", testThenChains},
		{"ThenTooLate", testThenTooLate},
		{"ThenAgain", testThenAgain},
		{"ThenInvalid", testThenInvalid},
		{"Ways", testWays},
		{"StopHandsBack", testStopHandsBack},
		{"CloseGivesUp", testCloseGivesUp},
		{"RetryDead", testRetryDead},
		{"RetryDeadFailing", testRetryDeadFailing},
		{"DeleteDead", testDeleteDead},
		{"Purge", testPurge},
		{"PurgeUnderLoad", testPurgeUnderLoad},
		{"Pause", testPause},
		{"Priorities", testPriorities},
		{"QueueStates", testQueueStates},
		{"Results", testResults},
		{"Schedule", testSchedule},
		{"ScheduleContended", testScheduleContended},
		{"Cycles", testCycles},
		{"ModulesOnOneQueue", testModulesOnOneQueue},
		{"ModulesWithNamespaces", testModulesWithNamespaces},
		{"ModulesPeriodic", testModulesPeriodic},
		{"WorkerOutcomes", testWorkerOutcomes},
		{"WorkerUnknown", testWorkerUnknown},
		{"WorkerStop", testWorkerStop},
		{"WorkerKilled", testWorkerKilled},
		{"WorkerPoison", testWorkerPoison},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, store) })
	}
}

// full is a broker with all the capabilities that the suite tests.
type full interface {
	broker.Broker
	broker.Admin
	broker.ResultStore
	broker.TickStore
}

// openURL opens the store.
func openURL(t *testing.T, url string) full {
	t.Helper()
	b, err := broker.Open(testContext(t), url, broker.Config{})
	if err != nil {
		t.Fatalf("open the broker: %v", err)
	}
	f, err := broker.As[full](b)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// open opens the store for the length of the test.
func open(t *testing.T, url string) full {
	t.Helper()
	b := openURL(t, url)
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Errorf("close the broker: %v", err)
		}
	})
	return b
}

// testContext returns a context that ends when patience does.
func testContext(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

var serial atomic.Int64

// message returns a message for the queue, with an id of its own.
func message(queue string) *broker.Message {
	return &broker.Message{
		ID:         fmt.Sprintf("01890000-0000-7000-8000-%012d", serial.Add(1)),
		Task:       "pkg.Task",
		Queue:      queue,
		Body:       []byte(`{"n":1}`),
		Schema:     "5ca1ab1e",
		Attempt:    1,
		Attempts:   6,
		EnqueuedAt: time.Now(),
	}
}

// enqueue enqueues messages and returns them.
func enqueue(t *testing.T, b full, ms ...*broker.Message) []*broker.Message {
	t.Helper()
	for _, m := range ms {
		if err := b.Enqueue(testContext(t), m); err != nil {
			t.Fatalf("enqueue: %v", err)
		}
	}
	return ms
}

// consume starts a consumer that is closed when the test ends.
func consume(t *testing.T, b full, queue string, concurrency int) broker.Consumer {
	t.Helper()
	c, err := b.Consume(testContext(t), broker.ConsumeOptions{Queue: queue, Concurrency: concurrency})
	if err != nil {
		t.Fatalf("consume %s: %v", queue, err)
	}
	t.Cleanup(func() { closeConsumer(t, c) })
	return c
}

func closeConsumer(t *testing.T, c broker.Consumer) {
	t.Helper()
	if err := c.Close(testContext(t)); err != nil {
		t.Errorf("close the consumer: %v", err)
	}
}

// receive returns the next delivery.
func receive(t *testing.T, c broker.Consumer) broker.Delivery {
	t.Helper()
	select {
	case d, ok := <-c.Deliveries():
		if !ok {
			t.Fatal("the deliveries ended")
		}
		return d
	case <-time.After(patience):
		t.Fatal("no delivery")
	}
	panic("unreachable")
}

// drained checks that nothing is left in the queue: a message enqueued now is
// the next one delivered.
func drained(t *testing.T, b full, c broker.Consumer, queue string) {
	t.Helper()
	last := enqueue(t, b, message(queue))[0]
	d := receive(t, c)
	if d.Message().ID != last.ID {
		t.Errorf("delivered again: %s (attempt %d)", d.Message().ID, d.Message().Attempt)
	}
	d.Settle(broker.Settlement{Verdict: broker.Done})
}

// eventually waits until check returns an empty string.
func eventually(t *testing.T, check func() string) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		complaint := check()
		if complaint == "" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(complaint)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// state returns the state of one queue.
func state(t *testing.T, b full, queue string) broker.QueueState {
	t.Helper()
	states, err := b.Queues(testContext(t))
	if err != nil {
		t.Fatalf("queues: %v", err)
	}
	for _, s := range states {
		if s.Queue == queue {
			return s
		}
	}
	return broker.QueueState{Queue: queue}
}

// deadLetters waits for n dead letters in the queue and returns them.
func deadLetters(t *testing.T, b full, queue string, n int) []*broker.Message {
	t.Helper()
	var dead []*broker.Message
	eventually(t, func() string {
		var err error
		if dead, err = b.DeadLetters(testContext(t), queue, 1000); err != nil {
			t.Fatalf("dead letters: %v", err)
		}
		if len(dead) == n {
			return ""
		}
		var what strings.Builder
		for _, m := range dead {
			fmt.Fprintf(&what, "\n%s %s %v", m.ID, m.Task, m.Failures)
		}
		return fmt.Sprintf("%d dead letters, want %d:%s", len(dead), n, what.String())
	})
	return dead
}
