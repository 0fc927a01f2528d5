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
func collect(t *testing.T, b broker.Broker, c broker.Consumer, ids ...string) {
	t.Helper()
	transactor := has[broker.Transactor](b)
	missing := slices.Clone(ids)
	for len(missing) > 0 {
		d := Receive(t, c)
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
func nothingElse(t *testing.T, b broker.Broker, c broker.Consumer, queue string, ids ...string) {
	t.Helper()
	transactor := has[broker.Transactor](b)
	last := Enqueue(t, b, Message(queue))[0]
	for {
		d := Receive(t, c)
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
			c, next := Consume(t, b, "q", 2), Consume(t, b, "next", 2)
			m := Enqueue(t, b, Message("q"))[0]
			same, follow := Message("q"), []*broker.Message{Message("next"), Message("next")}
			d := Receive(t, c)
			d.Message().NotBefore = time.Now().Add(time.Hour) // of a retry
			d.Settle(broker.Settlement{Verdict: verdict, Then: append(follow, same)})
			collect(t, b, next, follow[0].ID, follow[1].ID)
			collect(t, b, c, same.ID)
			nothingElse(t, b, next, "next", follow[0].ID, follow[1].ID)
			nothingElse(t, b, c, "q", same.ID)
			if verdict == broker.Dead && has[broker.Admin](b) {
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
	c := Consume(t, b, "q", 1)
	Enqueue(t, b, Message("q"))
	m := Message("next")
	m.Headers = map[string]string{"Tenant": "größe"}
	m.Priority = broker.PriorityHigh
	m.NotBefore = time.Now().Add(700 * time.Millisecond)
	due := m.NotBefore.Truncate(time.Millisecond)
	Receive(t, c).Settle(broker.Settlement{Verdict: broker.Done, Then: []*broker.Message{m}})
	closeConsumer(t, c) // waits until the settlement is durable

	d := Receive(t, Consume(t, b, "next", 1))
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
	c, next := Consume(t, b, "q", 1), Consume(t, other, "next", 1)
	first, second := Message("q"), Message("next")
	first.Keep, second.Keep = time.Hour, time.Hour
	Enqueue(t, b, first)
	Receive(t, c).Settle(broker.Settlement{Verdict: broker.Done, Result: []byte("1"), Then: []*broker.Message{second}})
	d := Receive(t, next)
	waited := make(chan string, 1)
	go func() { // for what is not there yet
		r, err := results(t, b).Result(Context(t), second.ID)
		waited <- fmt.Sprintf("%s %v", r.Value, err)
	}()
	d.Settle(broker.Settlement{Verdict: broker.Done, Result: []byte("2")})
	if got := <-waited; got != "2 <nil>" {
		t.Errorf("the result of what follows: %s", got)
	}
	if r, err := results(t, other).Result(Context(t), first.ID); string(r.Value) != "1" || err != nil {
		t.Errorf("the result of the first: %s, %v", r.Value, err)
	}
}

// Chains that two processes work off lose nothing, and end.
func testThenChains(t *testing.T, store Store) {
	url := store(t)
	b, other := open(t, url), open(t, url)
	const chains, length = 20, 5
	c, c2 := Consume(t, b, "q", 3), Consume(t, other, "q", 3)
	end := Consume(t, b, "end", 5)
	ids := make([]string, chains)
	var starts []*broker.Message
	for i := range chains {
		m := Message("q")
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
	for _, err := range b.EnqueueMany(Context(t), starts) {
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
	first := Consume(t, b, "q", 1)
	Enqueue(t, b, Message("q"))
	held := Receive(t, first)
	closeConsumer(t, first)

	second, next := Consume(t, b, "q", 1), Consume(t, b, "next", 1)
	d := Receive(t, second)
	m := Message("next")
	held.Settle(broker.Settlement{Verdict: broker.Done, Then: []*broker.Message{m}})
	if has[broker.Transactor](b) {
		Drained(t, b, next, "next")
	}
	d.Settle(broker.Settlement{Verdict: broker.Done, Then: []*broker.Message{m}})
	collect(t, b, next, m.ID)
	nothingElse(t, b, next, "next", m.ID)
	Drained(t, b, second, "q")
}

// A message that is enqueued already does not keep the outcome from being
// stored.
func testThenAgain(t *testing.T, store Store) {
	b := open(t, store(t))
	c := Consume(t, b, "q", 1)
	m, other := Message("next"), Message("next")
	Enqueue(t, b, Message("q"), m)
	Receive(t, c).Settle(broker.Settlement{Verdict: broker.Done, Then: []*broker.Message{m, other}})
	closeConsumer(t, c)
	next := Consume(t, b, "next", 1)
	collect(t, b, next, m.ID, other.ID)
	nothingElse(t, b, next, "next", m.ID, other.ID)
	Drained(t, b, Consume(t, b, "q", 1), "q")
}

// A message whose outcome has something to follow that can never be enqueued
// becomes a dead letter, and nothing follows.
func testThenInvalid(t *testing.T, store Store) {
	b := open(t, store(t))
	c, next := Consume(t, b, "q", 1), Consume(t, b, "next", 1)
	m := Message("q")
	m.Keep = time.Hour
	Enqueue(t, b, m)
	large := Message("next")
	large.Body = make([]byte, broker.MaxBodySize+1)
	Receive(t, c).Settle(broker.Settlement{Verdict: broker.Done, Result: []byte("1"), Then: []*broker.Message{Message("next"), large}})
	dead := deadLetters(t, b, "q", 1)[0]
	if n := len(dead.Failures); dead.ID != m.ID || n != 1 || !strings.Contains(dead.Failures[0].Error, "cannot be enqueued") {
		t.Errorf("dead letter %s says %+v", dead.ID, dead.Failures)
	}
	if r, err := results(t, b).Result(Context(t), m.ID); err != nil || r.Failure == nil {
		t.Errorf("result %+v, %v, want a failure", r, err)
	}
	Drained(t, b, next, "next")
	Drained(t, b, c, "q")
}
