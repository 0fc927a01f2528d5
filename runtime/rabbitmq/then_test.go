package rabbitmq_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/dtaskhq/dtask/internal/testenv/rabbittest"
	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/rabbitmq"
)

// What follows from outcomes.
func TestThen(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		test func(t *testing.T, url, namespace string)
	}{
		{"Verdicts", testThenVerdicts},
		{"Impossible", testThenImpossible},
		{"Refused", testThenRefused},
		{"Many", testThenMany},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			noLeaks(t)
			url := rabbittest.URL(t)
			c.test(t, url, rabbittest.Namespace(t, url))
		})
	}
}

// What follows is enqueued whatever the outcome is, with all that holds of
// Enqueue: results, delays, priorities.
func testThenVerdicts(t *testing.T, url, _ string) {
	b := open(t, url)
	for _, v := range []broker.Verdict{broker.Done, broker.Dead, broker.Requeue} {
		for _, keep := range []time.Duration{0, time.Hour} {
			queue := fmt.Sprintf("q-%d-%v", v, keep)
			m := kept(queue)
			m.Keep = keep
			enqueue(t, b, m)
			plain, high, delayed := message("next"), message("next"), kept("next")
			high.Priority = broker.PriorityHigh
			delayed.NotBefore = time.Now().Add(300 * time.Millisecond)
			settle(t, b, queue, 1, func(m *broker.Message) broker.Settlement {
				m.Failures = []broker.Failure{{Attempt: 1, Kind: broker.FailureError, Error: "no"}}
				return broker.Settlement{Verdict: v, Result: []byte("1"), Then: []*broker.Message{plain, high, delayed}}
			})
			if keep > 0 && v == broker.Requeue {
				checkPending(t, b, m.ID)
			} else if keep > 0 {
				if r, err := b.Result(testContext(t), m.ID); err != nil || (r.Failure != nil) != (v == broker.Dead) {
					t.Errorf("%v: result %+v, %v", v, r, err)
				}
			}
			checkPending(t, b, delayed.ID)
			want := map[string]broker.Priority{plain.ID: 0, high.ID: broker.PriorityHigh, delayed.ID: 0}
			settle(t, b, "next", 3, func(m *broker.Message) broker.Settlement {
				if p, ok := want[m.ID]; !ok || p != m.Priority {
					t.Errorf("delivered %s at priority %v", m.ID, m.Priority)
				}
				if m.ID == delayed.ID && time.Until(delayed.NotBefore) > time.Millisecond {
					t.Errorf("%v early", time.Until(delayed.NotBefore))
				}
				return broker.Settlement{Verdict: broker.Done, Result: []byte("2")}
			})
			if r, err := b.Result(testContext(t), delayed.ID); string(r.Value) != "2" || err != nil {
				t.Errorf("result of what follows: %+v, %v", r, err)
			}
		}
	}
}

// What can never be enqueued makes the message a dead letter that says so, and
// nothing is enqueued in part.
func testThenImpossible(t *testing.T, url, _ string) {
	b := open(t, url)
	forever, nowhere, large := kept("next"), message("not a name"), message("next")
	forever.Keep = 1000 * time.Hour
	large.SetHeader("h", strings.Repeat("x", 64<<10))
	for i, next := range []*broker.Message{forever, nowhere, large} {
		queue := fmt.Sprint("q", i)
		m := kept(queue)
		enqueue(t, b, m)
		settle(t, b, queue, 1, func(*broker.Message) broker.Settlement {
			return broker.Settlement{Verdict: broker.Done, Then: []*broker.Message{message("next"), next}}
		})
		says := "what follows from the task cannot be enqueued: message " + next.ID
		dead, err := b.DeadLetters(testContext(t), queue, 2)
		if err != nil || len(dead) != 1 || len(dead[0].Failures) != 1 || !strings.HasPrefix(dead[0].Failures[0].Error, says) {
			t.Errorf("dead letters %+v, %v", dead, err)
		}
		if r, err := b.Result(testContext(t), m.ID); err != nil || r.Failure == nil || r.Failure.Kind != broker.FailureError {
			t.Errorf("result %+v, %v", r, err)
		}
	}
	if due, err := b.Due(testContext(t), "next"); due || err != nil {
		t.Errorf("enqueued in part: %v, %v", due, err)
	}
}

// What is refused is tried until it is not; until then the message is neither
// settled nor lost.
func testThenRefused(t *testing.T, url, namespace string) {
	b := open(t, url)
	raw := rabbittest.Channel(t, url)
	if _, err := raw.QueueDeclare(namespace+".queue.next", true, false, false, false, nil); err != nil {
		t.Fatal(err)
	}
	m, next := kept("q"), message("next")
	enqueue(t, b, m)
	logged := newLogs()
	c, err := b.Consume(testContext(t), broker.ConsumeOptions{Queue: "q", Concurrency: 1, Logger: logged.logger()})
	if err != nil {
		t.Fatal(err)
	}
	d := receive(t, c)
	d.Settle(broker.Settlement{Verdict: broker.Done, Result: []byte("1"), Then: []*broker.Message{next}})
	eventually(t, func() string { return logged.missing("message cannot be published; trying again") })
	checkPending(t, b, m.ID)
	if _, err := raw.QueueDelete(namespace+".queue.next", false, false, false); err != nil {
		t.Fatal(err)
	}
	if r, err := b.Result(testContext(t), m.ID); string(r.Value) != "1" || err != nil {
		t.Errorf("result %+v, %v", r, err)
	}
	settle(t, b, "next", 1, func(m *broker.Message) broker.Settlement {
		if m.ID != next.ID {
			t.Errorf("delivered %s, want %s", m.ID, next.ID)
		}
		return broker.Settlement{Verdict: broker.Done}
	})
	if err := c.Close(testContext(t)); err != nil {
		t.Error(err)
	}
}

// If the connection is lost after what follows was confirmed, and before the
// message is acknowledged, all of it comes again, under the same ids. That is for
// another process: this one knows that it has executed the message.
func TestThenUnacknowledged(t *testing.T) {
	t.Parallel()
	noLeaks(t)
	direct := rabbittest.URL(t)
	proxy, url := rabbittest.ProxyURL(t, direct)
	b, other := open(t, url), open(t, direct)
	m, next := kept("q"), kept("next")
	enqueue(t, b, m)
	then := broker.Settlement{Verdict: broker.Done, Result: []byte("1"), Then: []*broker.Message{next}}
	c, followers := consume(t, b, "q", 1), consume(t, other, "next", 1)

	d := receive(t, c)
	rabbitmq.PauseAcks(d)
	d.Settle(then)
	first := receive(t, followers)
	first.Settle(broker.Settlement{Verdict: broker.Done, Result: []byte("2")})
	if r, err := other.Result(testContext(t), m.ID); string(r.Value) != "1" || err != nil {
		t.Errorf("result %+v, %v", r, err) // recorded, but not acknowledged
	}
	proxy.Refuse()
	proxy.Cut()

	taker := consume(t, other, "q", 1)
	again := receive(t, taker)
	if got := again.Message(); got.ID != m.ID || got.Attempt != 2 {
		t.Errorf("delivered %s at attempt %d, want %s at 2", got.ID, got.Attempt, m.ID)
	}
	again.Settle(then)
	second := receive(t, followers)
	if second.Message().ID != first.Message().ID || second.Message().Attempt != 1 {
		t.Errorf("followed by %+v, want %+v", second.Message(), first.Message())
	}
	// It is the same message: it has its outcome already.
	if r, err := other.Result(testContext(t), next.ID); string(r.Value) != "2" || err != nil {
		t.Errorf("result of what follows: %+v, %v", r, err)
	}
	second.Settle(broker.Settlement{Verdict: broker.Done, Result: []byte("2")})
	proxy.Resume()
	if err := errors.Join(taker.Close(testContext(t)), c.Close(testContext(t)), followers.Close(testContext(t))); err != nil {
		t.Error(err)
	}
	for _, q := range []string{"q", "next"} {
		if due, err := other.Due(testContext(t), q); due || err != nil {
			t.Errorf("something is left in %s: %v, %v", q, due, err)
		}
	}
}

// So many may follow that they are enqueued as a batch.
func testThenMany(t *testing.T, url, _ string) {
	b := open(t, url)
	enqueue(t, b, message("q"))
	ms := make([]*broker.Message, 100)
	for i := range ms {
		ms[i] = message("next")
	}
	settle(t, b, "q", 1, func(*broker.Message) broker.Settlement {
		return broker.Settlement{Verdict: broker.Done, Then: ms}
	})
	seen := make(map[string]bool)
	settle(t, b, "next", len(ms), func(m *broker.Message) broker.Settlement {
		seen[m.ID] = true
		return broker.Settlement{Verdict: broker.Done}
	})
	if len(seen) != len(ms) {
		t.Errorf("%d different messages, want %d", len(seen), len(ms))
	}
}
