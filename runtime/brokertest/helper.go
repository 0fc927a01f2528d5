package brokertest

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// Patience is how long a test waits for something to happen. No test asks how fast
// a broker is, but only that no message comes too early.
const Patience = 2 * time.Minute

// Context returns a context that ends after [Patience].
func Context(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	t.Cleanup(cancel)
	return ctx
}

var serial atomic.Int64

// Message returns a message for the queue, with an id of its own.
func Message(queue string) *broker.Message {
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

// Enqueue enqueues messages and returns them.
func Enqueue(t *testing.T, b broker.Broker, ms ...*broker.Message) []*broker.Message {
	t.Helper()
	for _, m := range ms {
		if err := b.Enqueue(Context(t), m); err != nil {
			t.Fatalf("enqueue: %v", err)
		}
	}
	return ms
}

// Consume starts a consumer that is closed when the test ends.
func Consume(t *testing.T, b broker.Broker, queue string, concurrency int) broker.Consumer {
	t.Helper()
	c, err := b.Consume(Context(t), broker.ConsumeOptions{Queue: queue, Concurrency: concurrency})
	if err != nil {
		t.Fatalf("consume %s: %v", queue, err)
	}
	t.Cleanup(func() { closeConsumer(t, c) })
	return c
}

// Receive returns the next delivery.
func Receive(t *testing.T, c broker.Consumer) broker.Delivery {
	t.Helper()
	select {
	case d, ok := <-c.Deliveries():
		if !ok {
			t.Fatal("the deliveries ended")
		}
		return d
	case <-time.After(Patience):
		t.Fatal("no delivery")
	}
	panic("unreachable")
}

// Drained checks that nothing is left in the queue: a message enqueued now is
// the next one delivered.
func Drained(t *testing.T, b broker.Broker, c broker.Consumer, queue string) {
	t.Helper()
	last := Enqueue(t, b, Message(queue))[0]
	d := Receive(t, c)
	if d.Message().ID != last.ID {
		t.Errorf("delivered again: %s (attempt %d)", d.Message().ID, d.Message().Attempt)
	}
	d.Settle(broker.Settlement{Verdict: broker.Done})
}

// Eventually calls check until it returns an empty string. If that takes too long,
// the test fails with the last string.
func Eventually(t *testing.T, check func() string) {
	t.Helper()
	deadline := time.Now().Add(Patience)
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

// State returns the state of one queue.
func State(t *testing.T, b broker.Broker, queue string) broker.QueueState {
	t.Helper()
	states, err := admin(t, b).Queues(Context(t))
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
