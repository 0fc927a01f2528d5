package rabbitmq_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/dtaskhq/dtask/internal/testenv/rabbittest"
	"github.com/dtaskhq/dtask/runtime/broker"
)

func TestOtherArguments(t *testing.T) {
	t.Parallel()
	raw := rabbittest.URL(t)
	namespace := rabbittest.Namespace(t, raw)
	ch := rabbittest.Channel(t, raw)
	if _, err := ch.QueueDeclare(namespace+".queue.q", true, false, false, false, amqp.Table{
		"x-queue-type": "quorum", "x-delivery-limit": 3, "x-overflow": "reject-publish",
		"x-dead-letter-exchange": "", "x-dead-letter-routing-key": namespace + ".dead.q", "x-dead-letter-strategy": "at-least-once",
	}); err != nil {
		t.Fatal(err)
	}
	b := open(t, raw)
	check := func(err error) {
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), namespace+".queue.q") || !strings.Contains(err.Error(), "x-delivery-limit") {
			t.Errorf("error %v, want queue and argument", err)
		}
	}
	check(b.Enqueue(testContext(t), message("q")))
	_, err := b.Consume(testContext(t), broker.ConsumeOptions{Queue: "q", Concurrency: 1})
	check(err)
	enqueue(t, b, message("other")) // it goes on with others
}

func TestUndeclarable(t *testing.T) {
	t.Parallel()
	url := rabbittest.URL(t)
	b := open(t, url)
	if _, err := rabbittest.Channel(t, url).QueueDeclare(rabbittest.Namespace(t, url)+".queue.taken", false, false, true, false, nil); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	failed := make(chan error)
	go func() { failed <- b.Enqueue(ctx, message("taken")) }()
	for {
		try, done := context.WithTimeout(context.Background(), patience)
		if err := b.Enqueue(try, message("q")); err != nil {
			t.Errorf("enqueue to another queue: %v", err)
		}
		done()
		select {
		case err := <-failed:
			if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "RESOURCE_LOCKED") {
				t.Errorf("enqueue: %v, want what RabbitMQ says", err)
			}
			return
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func TestQueueDeleted(t *testing.T) {
	t.Parallel()
	noLeaks(t)
	raw := rabbittest.URL(t)
	b := open(t, raw)
	c := consume(t, b, "q", 5)
	ch := rabbittest.Channel(t, raw)
	for range 3 {
		for _, name := range []string{".queue.q", ".high.q", ".dead.q"} {
			if _, err := ch.QueueDelete(rabbittest.Namespace(t, raw)+name, false, false, false); err != nil {
				t.Fatal(err)
			}
		}
		for _, p := range []broker.Priority{broker.PriorityHigh, broker.PriorityDefault, broker.PriorityLow} {
			m := message("q")
			m.Priority = p
			enqueue(t, b, m)
			d := receive(t, c)
			if d.Message().ID != m.ID {
				t.Errorf("delivered %s, want %s", d.Message().ID, m.ID)
			}
			d.Settle(broker.Settlement{Verdict: broker.Done})
		}
	}
	m := message("q")
	enqueue(t, b, m)
	receive(t, c).Settle(broker.Settlement{Verdict: broker.Dead})
	eventually(t, func() string {
		if dead, err := b.DeadLetters(testContext(t), "q", 10); err != nil || len(dead) != 1 || dead[0].ID != m.ID {
			return "the dead letter is missing: " + errText(err)
		}
		return ""
	})
}

func TestLevelDeleted(t *testing.T) {
	t.Parallel()
	noLeaks(t)
	raw := rabbittest.URL(t)
	b := open(t, raw)
	delayed := func() *broker.Message {
		m := message("q")
		m.NotBefore = time.Now().Add(6 * time.Minute) // at level 8, from 256 seconds on: also when it is tried again
		return m
	}
	enqueue(t, b, delayed())
	ch := rabbittest.Channel(t, raw)
	level := rabbittest.Namespace(t, raw) + ".wait.08"
	if err := ch.ExchangeDelete(level, false, false); err != nil {
		t.Fatal(err)
	}
	enqueue(t, b, delayed())
	q, err := ch.QueueDeclarePassive(level, true, false, false, false, nil)
	if err != nil || q.Messages != 2 {
		t.Errorf("%d messages wait, %v, want 2", q.Messages, err)
	}
}

func TestLookalikeQueues(t *testing.T) {
	t.Parallel()
	b := open(t, rabbittest.URL(t))
	for _, q := range []string{"q", "q.lock", "q.queue", "wait.00"} {
		enqueue(t, b, message(q))
		c := consume(t, b, q, 1)
		receive(t, c).Settle(broker.Settlement{Verdict: broker.Dead})
		if err := c.Close(testContext(t)); err != nil {
			t.Fatal(err)
		}
	}
	for _, q := range []string{"q", "q.lock", "q.queue", "wait.00"} {
		if dead, err := b.DeadLetters(testContext(t), q, 10); len(dead) != 1 || err != nil {
			t.Errorf("dead letters of %s: %v, %v, want one", q, dead, err)
		}
	}
}
