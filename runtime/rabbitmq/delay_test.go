package rabbitmq_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/dtaskhq/dtask/internal/testenv/rabbittest"
	"github.com/dtaskhq/dtask/runtime/broker"
)

// A message that arrives before its time, by the clock of another machine or
// after the longest delay, is delayed again.
func TestEarlyArrival(t *testing.T) {
	t.Parallel()
	raw := rabbittest.URL(t)
	b := open(t, raw)
	c := consume(t, b, "q", 1)
	due := time.Now().Add(1500 * time.Millisecond)
	ch := rabbittest.Channel(t, raw)
	if err := ch.Publish("", rabbittest.Namespace(t, raw)+".queue.q", true, false, foreign("early", due)); err != nil {
		t.Fatal(err)
	}
	d := receive(t, c)
	if early := time.Until(due.Truncate(time.Millisecond)); early > 0 || d.Message().ID != "early" {
		t.Errorf("%s is %v early", d.Message().ID, early)
	}
	d.Settle(broker.Settlement{Verdict: broker.Done})
}

// A delay of years is accepted and stays out of the way.
func TestLongDelays(t *testing.T) {
	t.Parallel()
	raw := rabbittest.URL(t)
	b := open(t, raw)
	c := consume(t, b, "q", 1)
	for _, years := range []int{1, 8, 80} {
		m := message("q")
		m.NotBefore = time.Now().AddDate(years, 0, 0)
		enqueue(t, b, m)
	}
	now := message("q")
	enqueue(t, b, now)
	d := receive(t, c)
	if d.Message().ID != now.ID {
		t.Errorf("delivered %s, which is not due for years", d.Message().ID)
	}
	d.Settle(broker.Settlement{Verdict: broker.Done})
	waiting := 0
	for level := 24; level < 28; level++ {
		q, err := rabbittest.Channel(t, raw).QueueDeclarePassive(fmt.Sprintf("%s.wait.%02d", rabbittest.Namespace(t, raw), level), true, false, false, false, nil)
		if err != nil {
			t.Fatal(err)
		}
		waiting += q.Messages
	}
	if waiting != 3 {
		t.Errorf("%d messages wait for years, want 3", waiting)
	}
}

// The second and third delay of one message are as good as the first: nothing
// of an earlier one makes RabbitMQ take it for a message that goes in circles.
func TestRepeatedDelays(t *testing.T) {
	t.Parallel()
	b := open(t, rabbittest.URL(t))
	c := consume(t, b, "q", 1)
	m := message("q")
	m.NotBefore = time.Now().Add(1200 * time.Millisecond)
	enqueue(t, b, m)
	for range 3 {
		d := receive(t, c)
		d.Message().NotBefore = time.Now().Add(1200 * time.Millisecond)
		d.Settle(broker.Settlement{Verdict: broker.Requeue})
	}
	receive(t, c).Settle(broker.Settlement{Verdict: broker.Done})
}

// Batches of several callers, larger than the window together, all get
// through.
func TestManyBatches(t *testing.T) {
	t.Parallel()
	b := open(t, rabbittest.URL(t))
	const batches, size = 4, 1500
	done := make(chan []error, batches)
	for range batches {
		ms := make([]*broker.Message, size)
		for i := range ms {
			ms[i] = message("q")
		}
		go func() { done <- b.EnqueueMany(testContext(t), ms) }()
	}
	for range batches {
		for _, err := range <-done {
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	states, err := b.Queues(testContext(t))
	if err != nil || len(states) != 1 || states[0].Ready != batches*size {
		t.Errorf("states %+v, error %v, want %d ready", states, err, batches*size)
	}
}
