package brokertest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// collect receives and settles messages until each of ids has come. A broker
// with transactions delivers each once, others at least once; nothing else
// comes.
func collect(t *testing.T, b full, c broker.Consumer, ids ...string) {
	t.Helper()
	_, transactor := broker.Broker(b).(broker.Transactor)
	missing := slices.Clone(ids)
	for len(missing) > 0 {
		d := receive(t, c)
		id := d.Message().ID
		switch i := slices.Index(missing, id); {
		case i >= 0:
			missing = slices.Delete(missing, i, i+1)
		case transactor || !slices.Contains(ids, id):
			t.Errorf("delivered again, or never enqueued: %s", id)
		}
		d.Settle(broker.Settlement{Verdict: broker.Done})
	}
}

// nothingElse checks that nothing is left in the queue but, where the broker has
// no transactions, doubles of ids.
func nothingElse(t *testing.T, b full, c broker.Consumer, queue string, ids ...string) {
	t.Helper()
	_, transactor := broker.Broker(b).(broker.Transactor)
	last := enqueue(t, b, message(queue))[0]
	for {
		d := receive(t, c)
		id := d.Message().ID
		d.Settle(broker.Settlement{Verdict: broker.Done})
		if id == last.ID {
			return
		}
		if transactor || !slices.Contains(ids, id) {
			t.Errorf("delivered again, or never enqueued: %s", id)
		}
	}
}

// What follows from an outcome is enqueued with it, whatever the outcome: here
// several messages, on queues whose consumers already wait.
func testThen(t *testing.T, store Store) {
	for name, verdict := range map[string]broker.Verdict{"done": broker.Done, "requeue": broker.Requeue, "dead": broker.Dead} {
		t.Run(name, func(t *testing.T) {
			b := open(t, store(t))
			c, next := consume(t, b, "q", 2), consume(t, b, "next", 2)
			m := enqueue(t, b, message("q"))[0]
			same, follow := message("q"), []*broker.Message{message("next"), message("next")}
			d := receive(t, c)
			d.Message().NotBefore = time.Now().Add(time.Hour) // of a retry
			d.Settle(broker.Settlement{Verdict: verdict, Then: append(follow, same)})
			collect(t, b, next, follow[0].ID, follow[1].ID)
			collect(t, b, c, same.ID)
			nothingElse(t, b, next, "next", follow[0].ID, follow[1].ID)
			nothingElse(t, b, c, "q", same.ID)
			if verdict == broker.Dead {
				if dead := deadLetters(t, b, "q", 1)[0]; dead.ID != m.ID {
					t.Errorf("dead letter %s, want %s", dead.ID, m.ID)
				}
			}
		})
	}
}

// A message that follows arrives as it was made, is never early, and is enqueued
// though nobody consumes its queue yet.
func testThenFields(t *testing.T, store Store) {
	b := open(t, store(t))
	c := consume(t, b, "q", 1)
	enqueue(t, b, message("q"))
	m := message("next")
	m.Headers = map[string]string{"Tenant": "größe"}
	m.Priority = broker.PriorityHigh
	m.NotBefore = time.Now().Add(700 * time.Millisecond)
	due := m.NotBefore.Truncate(time.Millisecond)
	receive(t, c).Settle(broker.Settlement{Verdict: broker.Done, Then: []*broker.Message{m}})
	closeConsumer(t, c) // waits until the settlement is durable

	d := receive(t, consume(t, b, "next", 1))
	if early := time.Until(due); early > 0 {
		t.Errorf("%v early", early)
	}
	got := d.Message()
	if got.ID != m.ID || got.Task != m.Task || string(got.Body) != string(m.Body) || got.Schema != m.Schema ||
		got.Priority != m.Priority || got.Headers["Tenant"] != "größe" || got.Attempt != 1 || got.Attempts != m.Attempts {
		t.Errorf("delivered %+v, want %+v", got, m)
	}
	d.Settle(broker.Settlement{Verdict: broker.Done})
}

// The outcome of a message that follows is kept and waited for like any other.
func testThenKeep(t *testing.T, store Store) {
	url := store(t)
	b, other := open(t, url), open(t, url)
	c, next := consume(t, b, "q", 1), consume(t, other, "next", 1)
	first, second := message("q"), message("next")
	first.Keep, second.Keep = time.Hour, time.Hour
	enqueue(t, b, first)
	receive(t, c).Settle(broker.Settlement{Verdict: broker.Done, Result: []byte("1"), Then: []*broker.Message{second}})
	d := receive(t, next)
	waited := make(chan string, 1)
	go func() { // for what is not there yet
		r, err := b.Result(testContext(t), second.ID)
		waited <- fmt.Sprintf("%s %v", r.Value, err)
	}()
	d.Settle(broker.Settlement{Verdict: broker.Done, Result: []byte("2")})
	if got := <-waited; got != "2 <nil>" {
		t.Errorf("the result of what follows: %s", got)
	}
	if r, err := other.Result(testContext(t), first.ID); string(r.Value) != "1" || err != nil {
		t.Errorf("the result of the first: %s, %v", r.Value, err)
	}
}

// Chains that two processes work off lose nothing, and end.
func testThenChains(t *testing.T, store Store) {
	url := store(t)
	b, other := open(t, url), open(t, url)
	const chains, length = 20, 5
	c, c2 := consume(t, b, "q", 3), consume(t, other, "q", 3)
	end := consume(t, b, "end", 5)
	ids := make([]string, chains)
	var starts []*broker.Message
	for i := range chains {
		m := message("q")
		ids[i] = "end-" + m.ID
		m.Headers = map[string]string{"end": ids[i]}
		starts = append(starts, m)
	}
	work := func(c broker.Consumer) {
		for d := range c.Deliveries() {
			m := d.Message()
			next := *m
			next.Headers = map[string]string{"end": m.Headers["end"], "steps": m.Headers["steps"] + "x"}
			next.ID = fmt.Sprintf("%s-%d", m.Headers["end"], len(m.Headers["steps"]))
			if len(next.Headers["steps"]) == length {
				next.ID, next.Queue = m.Headers["end"], "end"
			}
			d.Settle(broker.Settlement{Verdict: broker.Done, Then: []*broker.Message{&next}})
		}
	}
	go work(c)
	go work(c2)
	for _, err := range b.EnqueueMany(testContext(t), starts) {
		if err != nil {
			t.Fatal(err)
		}
	}
	collect(t, b, end, ids...)
	nothingElse(t, b, end, "end", ids...)
}

// What follows is not lost when the outcome itself comes too late: whoever got
// the message then settles it with the same. A broker with transactions stores
// nothing of the late one.
func testThenTooLate(t *testing.T, store Store) {
	b := open(t, store(t))
	first := consume(t, b, "q", 1)
	enqueue(t, b, message("q"))
	held := receive(t, first)
	closeConsumer(t, first)

	second, next := consume(t, b, "q", 1), consume(t, b, "next", 1)
	d := receive(t, second)
	m := message("next")
	held.Settle(broker.Settlement{Verdict: broker.Done, Then: []*broker.Message{m}})
	if _, ok := broker.Broker(b).(broker.Transactor); ok {
		drained(t, b, next, "next")
	}
	d.Settle(broker.Settlement{Verdict: broker.Done, Then: []*broker.Message{m}})
	collect(t, b, next, m.ID)
	nothingElse(t, b, next, "next", m.ID)
	drained(t, b, second, "q")
}

// A message that is enqueued already does not keep the outcome from being
// stored.
func testThenAgain(t *testing.T, store Store) {
	b := open(t, store(t))
	c := consume(t, b, "q", 1)
	m, other := message("next"), message("next")
	enqueue(t, b, message("q"), m)
	receive(t, c).Settle(broker.Settlement{Verdict: broker.Done, Then: []*broker.Message{m, other}})
	closeConsumer(t, c)
	next := consume(t, b, "next", 1)
	collect(t, b, next, m.ID, other.ID)
	nothingElse(t, b, next, "next", m.ID, other.ID)
	drained(t, b, consume(t, b, "q", 1), "q")
}

// A message whose outcome has something to follow that can never be enqueued
// becomes a dead letter, and nothing follows.
func testThenInvalid(t *testing.T, store Store) {
	b := open(t, store(t))
	c, next := consume(t, b, "q", 1), consume(t, b, "next", 1)
	m := message("q")
	m.Keep = time.Hour
	enqueue(t, b, m)
	large := message("next")
	large.Body = make([]byte, broker.MaxBodySize+1)
	receive(t, c).Settle(broker.Settlement{Verdict: broker.Done, Result: []byte("1"), Then: []*broker.Message{message("next"), large}})
	dead := deadLetters(t, b, "q", 1)[0]
	if n := len(dead.Failures); dead.ID != m.ID || n != 1 || !strings.Contains(dead.Failures[0].Error, "cannot be enqueued") {
		t.Errorf("dead letter %s says %+v", dead.ID, dead.Failures)
	}
	if r, err := b.Result(testContext(t), m.ID); err != nil || r.Failure == nil {
		t.Errorf("result %+v, %v, want a failure", r, err)
	}
	drained(t, b, next, "next")
	drained(t, b, c, "q")
}
