package rabbitmq_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/dtaskhq/dtask/internal/testenv/rabbittest"
	"github.com/dtaskhq/dtask/runtime/broker"
)

// Under a memory alarm an enqueue fails by its context with ErrBlocked; it
// works when the alarm is over.
func testBlocked(t *testing.T, n *rabbittest.Node) {
	b := open(t, nodeURL(t, n))
	enqueue(t, b, message("q"))
	n.MemoryAlarm(true)
	defer n.MemoryAlarm(false)
	// The server says so when it has read the first publish.
	first := make(chan error, 1)
	go func() { first <- b.Enqueue(testContext(t), message("q")) }()
	awaitBlocked(t, b, "q")
	n.MemoryAlarm(false)
	if err := <-first; err != nil {
		t.Errorf("an enqueue that waits for the end of the alarm: %v", err)
	}
	enqueue(t, b, message("q"))
}

// awaitBlocked waits until an enqueue fails because the server is blocked.
func awaitBlocked(t *testing.T, b broker.Broker, queue string) {
	t.Helper()
	eventually(t, func() string {
		ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
		defer cancel()
		err := b.Enqueue(ctx, message(queue))
		if !errors.Is(err, broker.ErrBlocked) || !errors.Is(err, context.DeadlineExceeded) {
			return "enqueue: " + errText(err)
		}
		if errors.Is(err, broker.ErrUnknownOutcome) {
			return "it was sent before the server said that it is blocked"
		}
		return ""
	})
}

// Under an alarm a worker goes on with what is there; retries wait.
func testBlockedConsumer(t *testing.T, n *rabbittest.Node) {
	b := open(t, nodeURL(t, n))
	for range 20 {
		enqueue(t, b, message("q"))
	}
	n.MemoryAlarm(true)
	defer n.MemoryAlarm(false)
	c := consume(t, b, "q", 2)
	var retried string
	for i := range 20 {
		d := receive(t, c)
		if i == 0 {
			retried = d.Message().ID
			d.Message().Attempt++
			d.Settle(broker.Settlement{Verdict: broker.Requeue})
			continue
		}
		d.Settle(broker.Settlement{Verdict: broker.Done})
	}
	n.MemoryAlarm(false)
	d := receive(t, c)
	if d.Message().ID != retried || d.Message().Attempt != 2 {
		t.Errorf("delivered %s at attempt %d, want %s at 2", d.Message().ID, d.Message().Attempt, retried)
	}
	d.Settle(broker.Settlement{Verdict: broker.Done})
}

// Nothing that a process does under an alarm holds up what it consumes: the
// backlog may be what the alarm is about.
func testBlockedElsewhere(t *testing.T, n *rabbittest.Node) {
	b := open(t, nodeURL(t, n))
	const backlog = 50
	for range backlog {
		enqueue(t, b, message("q"))
	}
	c := consume(t, b, "q", 1)
	n.MemoryAlarm(true)
	defer n.MemoryAlarm(false)
	eventually(t, func() string { // until RabbitMQ has said so
		ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
		defer cancel()
		return blockedText(b.Enqueue(ctx, message("q"))) // of a kind that the census has
	})
	var calls sync.WaitGroup
	for name, call := range map[string]func(context.Context) error{
		"Enqueue to a new queue": func(ctx context.Context) error { return b.Enqueue(ctx, message("new")) },
		"Pause": func(ctx context.Context) error {
			return b.Pause(ctx, broker.Pause{What: broker.PauseQueue, Name: "other"})
		},
	} {
		calls.Go(func() {
			ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
			defer cancel()
			if text := blockedText(call(ctx)); text != "" {
				t.Errorf("%s: %s", name, text)
			}
		})
	}
	calls.Wait()
	consume(t, b, "newer", 1)
	for range backlog {
		receive(t, c).Settle(broker.Settlement{Verdict: broker.Done})
	}
	n.MemoryAlarm(false)
	eventually(t, func() string {
		states, err := b.Queues(testContext(t))
		if err != nil || !slices.ContainsFunc(states, func(s broker.QueueState) bool { return s.Queue == "newer" }) {
			return fmt.Sprintf("the queue that was declared under the alarm is not listed: %v, %v", states, err)
		}
		return ""
	})
}

// blockedText complains unless err says that nothing was enqueued because of an
// alarm.
func blockedText(err error) string {
	if !errors.Is(err, broker.ErrBlocked) || errors.Is(err, broker.ErrUnknownOutcome) {
		return "error " + errText(err) + ", want ErrBlocked"
	}
	return ""
}

// A disk alarm in the middle of a load blocks producers, and costs nothing.
func testDiskAlarm(t *testing.T, n *rabbittest.Node) {
	b := open(t, nodeURL(t, n))
	l := startLoad(t, b, "q")
	l.progress(20)
	n.DiskAlarm(true)
	defer n.DiskAlarm(false)
	awaitBlocked(t, b, "q")
	n.DiskAlarm(false)
	l.progress(50)
	l.finish()
}
