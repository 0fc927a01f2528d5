package rabbitmq_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/dtaskhq/dtask/internal/testenv/rabbittest"
	"github.com/dtaskhq/dtask/runtime/broker"
)

// A message beyond the server's own limit fails alone, though it costs the
// channel of all.
func testMaxMessageSize(t *testing.T, n *rabbittest.Node) {
	n.Eval("application:set_env(rabbit, max_message_size, 100000), persistent_term:put(max_message_size, 100000)")
	defer n.Eval("application:set_env(rabbit, max_message_size, 134217728), persistent_term:put(max_message_size, 134217728)")
	b := open(t, nodeURL(t, n))
	ms := make([]*broker.Message, 200)
	for i := range ms {
		ms[i] = message("q")
	}
	ms[100].Body = []byte(`"` + strings.Repeat("x", 200_000) + `"`)
	for i, err := range b.EnqueueMany(testContext(t), ms) {
		if i == 100 != errors.Is(err, broker.ErrTooLarge) || i != 100 && err != nil {
			t.Errorf("message %d: %v", i, err)
		}
	}
	if err := b.Enqueue(testContext(t), ms[100]); !errors.Is(err, broker.ErrTooLarge) || !strings.Contains(err.Error(), "100000") {
		t.Errorf("again: %v, want ErrTooLarge with the limit", err)
	}
	seen := make(map[string]bool)
	c := consume(t, b, "q", 10)
	for len(seen) < 199 { // those confirmed before the channel was lost may come twice
		d := receive(t, c)
		seen[d.Message().ID] = true
		d.Settle(broker.Settlement{Verdict: broker.Done})
	}
	if err := c.Close(testContext(t)); err != nil {
		t.Fatal(err)
	}

	enqueue(t, b, message("then"))
	settle(t, b, "then", 1, func(*broker.Message) broker.Settlement {
		return broker.Settlement{Verdict: broker.Done, Then: []*broker.Message{ms[0], ms[100]}}
	})
	dead, err := b.DeadLetters(testContext(t), "then", 2)
	if err != nil || len(dead) != 1 || !strings.Contains(dead[0].Failures[0].Error, ms[100].ID) {
		t.Errorf("dead letters where what follows is too large: %+v, %v", dead, err)
	}
}

// With small frames a long history is cut short; the retry takes place, and the
// dead letter has the newest failures. RabbitMQ 4.3 needs frames of 8192 bytes.
func testFrameMax(t *testing.T, n *rabbittest.Node) {
	n.Eval("application:set_env(rabbit, frame_max, 8192)")
	defer n.Eval("application:set_env(rabbit, frame_max, 131072)")
	b := open(t, nodeURL(t, n))
	c := consume(t, b, "q", 1)
	enqueue(t, b, message("q"))
	fail := func(text string) {
		t.Helper()
		d := receive(t, c)
		m := d.Message()
		m.Failures = append(m.Failures, broker.Failure{Attempt: m.Attempt, At: time.Now(), Error: text, Stack: strings.Repeat("x", broker.MaxStackSize)})
		if m.Attempt == 2 {
			d.Settle(broker.Settlement{Verdict: broker.Dead})
			return
		}
		m.Attempt++
		d.Settle(broker.Settlement{Verdict: broker.Requeue})
	}
	fail("first")
	fail("second")
	eventually(t, func() string {
		dead, err := b.DeadLetters(testContext(t), "q", 10)
		if err != nil || len(dead) != 1 {
			return "the dead letter is missing: " + errText(err)
		}
		if fs := dead[0].Failures; len(fs) != 2 || fs[0].Error != "first" || fs[1].Error != "second" {
			t.Errorf("dead letter with %v, want both failures", fs)
		}
		return ""
	})
}

func testQueueFull(t *testing.T, n *rabbittest.Node) {
	t.Parallel()
	n.LimitQueues(`^queuefull\.queue\.q$`, 5)
	defer n.LimitQueues("", 0)
	b := open(t, nodeURL(t, n))
	accepted := 0
	for {
		err := b.Enqueue(testContext(t), message("q"))
		if errors.Is(err, broker.ErrQueueFull) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if accepted++; accepted > 50 {
			t.Fatal("the queue is never full")
		}
	}
	enqueue(t, b, message("other"))
	ms := make([]*broker.Message, 300)
	for i := range ms {
		ms[i] = message([]string{"q", "other"}[i%2])
	}
	for i, err := range b.EnqueueMany(testContext(t), ms) {
		if full := errors.Is(err, broker.ErrQueueFull); full != (ms[i].Queue == "q") {
			t.Fatalf("message %d of a batch, to %s: %v", i, ms[i].Queue, err)
		}
	}
	c := consume(t, b, "q", 1)
	for range accepted {
		receive(t, c).Settle(broker.Settlement{Verdict: broker.Done})
	}
	eventually(t, func() string {
		if err := b.Enqueue(testContext(t), message("q")); err != nil {
			return "enqueue into the queue that has room again: " + err.Error()
		}
		return ""
	})
}

// A user who is deleted and comes back has not lost anything.
func testUserDeleted(t *testing.T, n *rabbittest.Node) {
	t.Parallel()
	n.AddUser("worker", "pw")
	// What docs/wire.md says is enough.
	permit := func() {
		n.Permit("worker", `^(userdeleted\.|amq\.gen-)`, `^(userdeleted\.|amq\.gen-|amq\.default)`, `^(userdeleted\.|amq\.gen-)`)
	}
	permit()
	defer n.DeleteUser("worker")
	b := open(t, strings.Replace(nodeURL(t, n), "guest:guest", "worker:pw", 1))
	m := message("q")
	enqueue(t, b, m)
	n.Forbid("worker")
	err := b.Enqueue(testContext(t), message("new"))
	if err == nil || !strings.Contains(err.Error(), "permission") {
		t.Errorf("enqueue without permission: %v", err)
	}
	permit()
	m = message("q")
	m.NotBefore = time.Now().Add(time.Second)
	enqueue(t, b, message("new"), m)
	c := consume(t, b, "q", 1)
	receive(t, c).Settle(broker.Settlement{Verdict: broker.Done})
	receive(t, c).Settle(broker.Settlement{Verdict: broker.Dead})
	eventually(t, func() string {
		if n, err := b.RetryDead(testContext(t), "q"); n != 1 {
			return "the dead letter is not retried: " + errText(err)
		}
		return ""
	})
	receive(t, c).Settle(broker.Settlement{Verdict: broker.Done})
	if err := b.Pause(testContext(t), broker.Pause{What: broker.PauseQueue, Name: "q"}); err != nil {
		t.Error(err)
	}
	if states, err := b.Queues(testContext(t)); err != nil || len(states) != 2 || !states[1].Paused {
		t.Errorf("states %v, error %v", states, err)
	}
}
