package brokertest

import (
	"testing"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// A message that is done is not delivered again.
func testDone(t *testing.T, store Store) {
	url := store(t)
	b := open(t, url)
	first := Consume(t, b, "q", 1)
	Enqueue(t, b, Message("q"))
	Receive(t, first).Settle(broker.Settlement{Verdict: broker.Done})
	closeConsumer(t, first) // waits until the settlement is durable

	Drained(t, b, Consume(t, b, "q", 1), "q")
}

// Of several settlements of one delivery the first counts.
func testSettleTwice(t *testing.T, store Store) {
	b := open(t, store(t))
	c := Consume(t, b, "q", 1)
	Enqueue(t, b, Message("q"))
	d := Receive(t, c)
	d.Settle(broker.Settlement{Verdict: broker.Done})
	d.Settle(broker.Settlement{Verdict: broker.Requeue})
	d.Settle(broker.Settlement{Verdict: broker.Dead})
	Drained(t, b, c, "q")
	closeConsumer(t, c)
	if !has[broker.Admin](b) {
		return
	}
	if s := State(t, b, "q"); s.Dead > 0 || s.Ready > 0 {
		t.Errorf("state %+v, want nothing left", s)
	}
}

// A requeued message comes again as the worker changed it.
func testRequeue(t *testing.T, store Store) {
	b := open(t, store(t))
	c := Consume(t, b, "q", 1)
	m := Enqueue(t, b, Message("q"))[0]
	for attempt := 1; attempt <= 4; attempt++ {
		d := Receive(t, c)
		got := d.Message()
		if got.ID != m.ID || got.Attempt != attempt || len(got.Failures) != attempt-1 || string(got.Body) != string(m.Body) ||
			got.Schema != m.Schema || got.Task != m.Task || !got.EnqueuedAt.Truncate(time.Millisecond).Equal(m.EnqueuedAt.Truncate(time.Millisecond)) {
			t.Fatalf("attempt %d delivered as %+v", attempt, got)
		}
		got.Failures = append(got.Failures, broker.Failure{Attempt: attempt, At: time.Now(), Error: "no"})
		got.Attempt++
		got.HandedBack = attempt
		got.HandedBackSince = m.EnqueuedAt
		d.Settle(broker.Settlement{Verdict: broker.Requeue})
	}
	d := Receive(t, c)
	if got := d.Message(); got.HandedBack != 4 || !got.HandedBackSince.Truncate(time.Millisecond).Equal(m.EnqueuedAt.Truncate(time.Millisecond)) {
		t.Errorf("returned %d times since %v, want 4 since %v", got.HandedBack, got.HandedBackSince, m.EnqueuedAt)
	}
	d.Settle(broker.Settlement{Verdict: broker.Done})
	Drained(t, b, c, "q")
}

// A message requeued for later waits, several times over, and is never early.
func testRequeueLater(t *testing.T, store Store) {
	b := open(t, store(t))
	c := Consume(t, b, "q", 2)
	Enqueue(t, b, Message("q"))
	var due time.Time
	for attempt := 1; attempt <= 3; attempt++ {
		d := Receive(t, c)
		if early := time.Until(due.Truncate(time.Millisecond)); early > 0 {
			t.Errorf("attempt %d is %v early", attempt, early)
		}
		if d.Message().Attempt != attempt {
			t.Fatalf("attempt %d, want %d", d.Message().Attempt, attempt)
		}
		due = time.Now().Add(time.Duration(attempt) * 800 * time.Millisecond)
		d.Message().Attempt++
		d.Message().NotBefore = due
		d.Settle(broker.Settlement{Verdict: broker.Requeue})
		if attempt == 1 {
			Drained(t, b, c, "q") // the waiting one holds nobody up
		}
	}
	d := Receive(t, c)
	d.Settle(broker.Settlement{Verdict: broker.Done})
	Drained(t, b, c, "q")
}

// A message that is dead is among the dead letters with its history, and not
// delivered again.
func testDead(t *testing.T, store Store) {
	url := store(t)
	b := open(t, url)
	c := Consume(t, b, "q", 1)
	m := Enqueue(t, b, Message("q"))[0]
	d := Receive(t, c)
	d.Message().Failures = []broker.Failure{{Attempt: 1, At: time.Now(), Error: "no such user", Stack: "goroutine 7"}}
	d.Settle(broker.Settlement{Verdict: broker.Dead})
	Drained(t, b, c, "q")
	closeConsumer(t, c)

	got := deadLetters(t, open(t, url), "q", 1)[0]
	if got.ID != m.ID || got.Task != m.Task || got.Queue != "q" || string(got.Body) != string(m.Body) || got.Schema != m.Schema {
		t.Errorf("dead letter %+v, want %+v", got, m)
	}
	if len(got.Failures) != 1 || got.Failures[0].Error != "no such user" || got.Failures[0].Stack != "goroutine 7" {
		t.Errorf("failures of the dead letter: %+v", got.Failures)
	}
	deadLetters(t, b, "q", 1) // reading does not remove
}

// What a stopped consumer fetched but nobody received goes to another one, and
// has cost no attempt; what was received can still be settled.
func testStopHandsBack(t *testing.T, store Store) {
	b := open(t, store(t))
	first := Consume(t, b, "q", 4)
	want := make(map[string]bool)
	for range 20 {
		want[Enqueue(t, b, Message("q"))[0].ID] = true
	}
	held := Receive(t, first)
	first.Stop()
	for d := range first.Deliveries() { // what raced with Stop is ours
		delete(want, d.Message().ID)
		d.Settle(broker.Settlement{Verdict: broker.Done})
	}
	delete(want, held.Message().ID)
	held.Settle(broker.Settlement{Verdict: broker.Done})
	closeConsumer(t, first)

	second := Consume(t, b, "q", 4)
	for len(want) > 0 {
		d := Receive(t, second)
		if !want[d.Message().ID] {
			t.Fatalf("%s delivered again", d.Message().ID)
		}
		if d.Message().Attempt != 1 {
			t.Errorf("handing back cost an attempt: attempt %d", d.Message().Attempt)
		}
		delete(want, d.Message().ID)
		d.Settle(broker.Settlement{Verdict: broker.Done})
	}
	Drained(t, b, second, "q")
}

// What a consumer leaves unsettled when it is closed goes to another one.
func testCloseGivesUp(t *testing.T, store Store) {
	b := open(t, store(t))
	first := Consume(t, b, "q", 1)
	m := Enqueue(t, b, Message("q"))[0]
	held := Receive(t, first)
	closeConsumer(t, first)

	second := Consume(t, b, "q", 1)
	d := Receive(t, second)
	if d.Message().ID != m.ID {
		t.Fatalf("delivered %s, want %s", d.Message().ID, m.ID)
	}
	if d.Message().Attempt != 1 {
		t.Errorf("an orderly close cost an attempt: attempt %d", d.Message().Attempt)
	}
	held.Settle(broker.Settlement{Verdict: broker.Dead}) // too late: it is another's now
	d.Settle(broker.Settlement{Verdict: broker.Done})
	Drained(t, b, second, "q")
	if !has[broker.Admin](b) {
		return
	}
	if s := State(t, b, "q"); s.Dead > 0 {
		t.Errorf("a late settlement had an effect: %+v", s)
	}
}
