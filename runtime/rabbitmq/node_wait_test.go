package rabbitmq_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dtaskhq/dtask/internal/testenv/rabbittest"
	"github.com/dtaskhq/dtask/runtime/broker"
)

// A queue that has no leader, as while a cluster elects one, takes messages when
// it has one again. Until then others are not held up, and errors name it.
func testNoLeader(t *testing.T, n *rabbittest.Node) {
	t.Parallel()
	older := open(t, nodeURL(t, n))
	enqueue(t, older, message("q"), message("other"))
	const server = `quorum_queues, {binary_to_atom(<<"%2F_noleader.queue.q">>), node()}`
	n.Eval("ra:stop_server(" + server + ")")

	// RabbitMQ refuses a message if the channel has not met the leader, else it
	// keeps it until there is another.
	newer := open(t, nodeURL(t, n))
	var failing sync.WaitGroup
	for b, want := range map[broker.Broker]string{
		older: "no confirm from queue noleader.queue.q",
		newer: "rabbitmq-queues quorum_status noleader.queue.q",
	} {
		failing.Go(func() {
			ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
			defer cancel()
			err := b.Enqueue(ctx, message("q"))
			if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, broker.ErrQueueFull) || !strings.Contains(err.Error(), want) {
				t.Errorf("enqueue without a leader: %v, want %q", err, want)
			}
			if unknown := errors.Is(err, broker.ErrUnknownOutcome); unknown != (b == older) {
				t.Errorf("ErrUnknownOutcome is %v for the error %v", unknown, err)
			}
		})
		enqueue(t, b, message("other"))
	}
	failing.Wait()
	enqueue(t, older, message("other"))
	enqueue(t, newer, message("other"))
	ms := make([]*broker.Message, 100)
	for i := range ms {
		ms[i] = message("q")
	}
	waiting := make(chan []error, 2)
	for _, b := range []broker.Broker{older, newer} {
		go func() { waiting <- b.EnqueueMany(testContext(t), ms) }()
	}
	n.Eval("ra:restart_server(" + server + ")")
	for range 2 {
		for _, err := range <-waiting {
			if err != nil {
				t.Fatalf("enqueue when there is a leader again: %v", err)
			}
		}
	}
}

// A task that outlasts the consumer_timeout of the server, of which the broker
// does not know, costs the channel, but nothing is lost.
func testConsumerTimeout(t *testing.T, n *rabbittest.Node) {
	defer setConsumerTimeout(n, 1000)()
	b := open(t, nodeURL(t, n))
	c := consume(t, b, "q", 2)
	slow, quick := message("q"), message("q")
	enqueue(t, b, slow)
	held := receive(t, c)
	again := receive(t, c) // after the timeout
	if again.Message().ID != slow.ID {
		t.Fatalf("delivered %s, want %s again", again.Message().ID, slow.ID)
	}
	held.Settle(broker.Settlement{Verdict: broker.Done}) // void
	again.Settle(broker.Settlement{Verdict: broker.Done})
	enqueue(t, b, quick)
	d := receive(t, c)
	if d.Message().ID != quick.ID {
		t.Errorf("delivered %s, want %s", d.Message().ID, quick.ID)
	}
	d.Settle(broker.Settlement{Verdict: broker.Done})
}

// setConsumerTimeout changes the consumer_timeout of a node, in milliseconds.
func setConsumerTimeout(n *rabbittest.Node, ms int) (restore func()) {
	n.Eval(fmt.Sprintf("application:set_env(rabbit, consumer_timeout, %d), application:set_env(rabbit, channel_tick_interval, 500)", ms))
	return func() {
		n.Eval("application:set_env(rabbit, consumer_timeout, 1800000), application:set_env(rabbit, channel_tick_interval, 60000)")
	}
}

// Tasks that run for several times the consumer_timeout run once, and those
// beside them are not disturbed; each outcome counts. If the worker is gone in
// the middle, the next attempt comes.
func testLongTasks(t *testing.T, n *rabbittest.Node) {
	defer setConsumerTimeout(n, 3000)()
	url := nodeURL(t, n) + "&consumer_timeout=3"
	b := open(t, url)
	c := consume(t, b, "q", 4)
	var long []broker.Delivery
	for range 4 {
		enqueue(t, b, message("q"))
		long = append(long, receive(t, c))
	}
	worker := open(t, url)
	lost := message("other")
	enqueue(t, b, lost)
	abandoned := receive(t, consume(t, worker, "other", 1))
	if abandoned.Message().ID != lost.ID {
		t.Fatalf("delivered %s, want %s", abandoned.Message().ID, lost.ID)
	}

	if !sleepUnless(c.Deliveries(), 10*time.Second) {
		t.Fatal("delivered again while it runs")
	}
	worker.Close() // as if it had died: the consumer was not closed
	again := receive(t, consume(t, b, "other", 1))
	if again.Message().ID != lost.ID || again.Message().Attempt != 2 {
		t.Errorf("after the end of its worker: %s at attempt %d, want %s at 2", again.Message().ID, again.Message().Attempt, lost.ID)
	}
	again.Settle(broker.Settlement{Verdict: broker.Done})

	long[0].Settle(broker.Settlement{Verdict: broker.Done})
	long[1].Message().Attempt++
	long[1].Settle(broker.Settlement{Verdict: broker.Requeue})
	if d := receive(t, c); d.Message().ID != long[1].Message().ID || d.Message().Attempt != 2 {
		t.Errorf("retried as %s at attempt %d, want %s at 2", d.Message().ID, d.Message().Attempt, long[1].Message().ID)
	} else {
		d.Settle(broker.Settlement{Verdict: broker.Done})
	}
	long[2].Settle(broker.Settlement{Verdict: broker.Dead})
	if err := c.Close(testContext(t)); err != nil { // gives up the last one
		t.Fatal(err)
	}
	second := consume(t, b, "q", 1)
	if d := receive(t, second); d.Message().ID != long[3].Message().ID || d.Message().Attempt != 1 {
		t.Errorf("given up as %s at attempt %d, want %s at 1", d.Message().ID, d.Message().Attempt, long[3].Message().ID)
	} else {
		d.Settle(broker.Settlement{Verdict: broker.Done})
	}
	dead, err := b.DeadLetters(testContext(t), "q", 10)
	if err != nil || len(dead) != 1 || dead[0].ID != long[2].Message().ID {
		t.Errorf("dead letters %v, %v; want %s", dead, err, long[2].Message().ID)
	}
	last := message("q")
	enqueue(t, b, last)
	if d := receive(t, second); d.Message().ID != last.ID {
		t.Errorf("delivered %s, want %s: something came twice", d.Message().ID, last.ID)
	} else {
		d.Settle(broker.Settlement{Verdict: broker.Done})
	}
}

// sleepUnless waits for d and reports whether nothing was delivered meanwhile.
func sleepUnless(deliveries <-chan broker.Delivery, d time.Duration) bool {
	select {
	case <-deliveries:
		return false
	case <-time.After(d):
		return true
	}
}
