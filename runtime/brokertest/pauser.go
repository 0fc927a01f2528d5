package brokertest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// pauseQueue pauses a queue until it is resumed.
func pauseQueue(t *testing.T, b broker.Broker, queue string) error {
	t.Helper()
	return pauser(t, b).Pause(Context(t), broker.Pause{What: broker.PauseQueue, Name: queue})
}

// A paused queue delivers nothing, to any process, until it is resumed.
func testPause(t *testing.T, store Store) {
	url := store(t)
	b, operator := open(t, url), open(t, url)
	c, fence := Consume(t, b, "q", 1), Consume(t, b, "fence", 1)
	Drained(t, b, c, "q") // the consumer is at work
	if err := pauseQueue(t, operator, "a b"); err == nil {
		t.Error("a queue that cannot be is paused")
	}
	if err := pauseQueue(t, operator, "q"); err != nil {
		t.Fatal(err)
	}
	Eventually(t, func() string {
		if !State(t, b, "q").Paused {
			return "the queue is not shown as paused"
		}
		return ""
	})
	// A consumer may hear of it a little later: messages that still slip through
	// are settled until one stays.
	var m *broker.Message
	Eventually(t, func() string {
		m = Enqueue(t, b, Message("q"))[0]
		for range 5 {
			Drained(t, b, fence, "fence") // other queues go on
		}
		select {
		case d := <-c.Deliveries():
			d.Settle(broker.Settlement{Verdict: broker.Done})
			return "the queue still delivers"
		default:
			return ""
		}
	})
	late := Consume(t, operator, "q", 1) // a new consumer knows
	for range 5 {
		Drained(t, b, fence, "fence")
	}
	select {
	case <-c.Deliveries():
		t.Error("delivery while paused")
	case <-late.Deliveries():
		t.Error("delivery to a new consumer while paused")
	default:
	}
	closeConsumer(t, late)
	if err := pauser(t, operator).Resume(Context(t), broker.PauseQueue, "q"); err != nil {
		t.Fatal(err)
	}
	d := Receive(t, c)
	if d.Message().ID != m.ID || d.Message().Attempt != 1 {
		t.Errorf("after Resume: %s at attempt %d, want %s at 1", d.Message().ID, d.Message().Attempt, m.ID)
	}
	d.Settle(broker.Settlement{Verdict: broker.Done})
	if State(t, b, "q").Paused {
		t.Error("the queue is still shown as paused")
	}
}

// A pause ends by itself, also for a consumer that began in between.
func testPauseUntil(t *testing.T, store Store) {
	url := store(t)
	b, operator := open(t, url), open(t, url)
	c := Consume(t, b, "q", 1)
	Drained(t, b, c, "q")
	until := time.Now().Add(3 * time.Second).Truncate(time.Millisecond)
	if err := pauser(t, operator).Pause(Context(t), broker.Pause{What: broker.PauseQueue, Name: "q", Until: until}); err != nil {
		t.Fatal(err)
	}
	late := open(t, url)
	other := Consume(t, late, "q", 1)
	if s := State(t, late, "q"); !s.Paused || !s.PausedUntil.Equal(until) {
		t.Errorf("state %+v, want paused until %v", s, until)
	}
	Enqueue(t, b, Message("q"), Message("q"))
	for range 2 {
		select {
		case d := <-c.Deliveries():
			d.Settle(broker.Settlement{Verdict: broker.Done})
		case d := <-other.Deliveries():
			d.Settle(broker.Settlement{Verdict: broker.Done})
			if time.Now().Before(until) {
				t.Error("delivered to a new consumer while paused")
			}
		case <-time.After(Patience):
			t.Fatal("the pause does not end")
		}
	}
	if s := State(t, late, "q"); s.Paused && time.Now().After(until) {
		t.Errorf("state %+v, the pause is over", s)
	}
}

// The messages of a paused task wait, at no cost of an attempt, while the others of
// their queue go on.
func testPauseTask(t *testing.T, store Store) {
	url := store(t)
	b, operator := open(t, url), open(t, url)
	if err := pauser(t, operator).Pause(Context(t), broker.Pause{What: broker.PauseTask, Name: "pkg.Rests"}); err != nil {
		t.Fatal(err)
	}
	c := Consume(t, open(t, url), "q", 2) // it began later
	rests := make(map[string]bool)
	for range 3 {
		m := Message("q")
		m.Task = "pkg.Rests"
		Enqueue(t, b, m)
		rests[m.ID] = true
	}
	for range 3 {
		Drained(t, b, c, "q")
	}
	if err := pauser(t, operator).Resume(Context(t), broker.PauseTask, "pkg.Rests"); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		d := Receive(t, c)
		if m := d.Message(); !rests[m.ID] || m.Attempt != 1 || len(m.Failures) > 0 {
			t.Errorf("delivered %+v, want one that rested, at attempt 1", m)
		}
		delete(rests, d.Message().ID)
		d.Settle(broker.Settlement{Verdict: broker.Done})
	}
	Drained(t, b, c, "q")
}

// Everybody sees the pauses that are in force, the newest of each thing.
func testPauses(t *testing.T, store Store) {
	url := store(t)
	b, stranger := open(t, url), open(t, store(t))
	since := time.Now().Truncate(time.Millisecond)
	pauses := []broker.Pause{
		{What: broker.PauseQueue, Name: "mail", Since: since, Until: since.Add(time.Hour)},
		{What: broker.PauseSchedule, Name: "pkg.Nightly", Since: since},
		{What: broker.PauseTask, Name: "pkg.Nightly", Since: since},
	}
	soon := pauses[0]
	soon.Until = since.Add(time.Minute)
	over := broker.Pause{What: broker.PauseTask, Name: "pkg.Over", Since: since, Until: since.Add(-time.Second)}
	for _, p := range append([]broker.Pause{soon, over}, pauses...) {
		if err := pauser(t, b).Pause(Context(t), p); err != nil {
			t.Fatal(err)
		}
	}
	known := func(b broker.Broker, want ...broker.Pause) {
		t.Helper()
		Eventually(t, func() string {
			got, err := pauser(t, b).Pauses(Context(t))
			if err != nil || !slices.EqualFunc(got, want, func(a, b broker.Pause) bool {
				return a.Compare(b) == 0 && a.Since.Equal(b.Since) && a.Until.Equal(b.Until)
			}) {
				return fmt.Sprintf("pauses %v, %v, want %v", got, err, want)
			}
			return ""
		})
	}
	operator := open(t, url)
	for _, b := range []broker.Broker{b, operator} {
		known(b, pauses...)
	}
	known(stranger)
	for _, p := range pauses[:2] {
		if err := pauser(t, operator).Resume(Context(t), p.What, p.Name); err != nil {
			t.Fatal(err)
		}
	}
	for _, b := range []broker.Broker{b, operator, open(t, url)} {
		known(b, pauses[2])
	}
	for _, p := range []broker.Pause{{What: "worker", Name: "a"}, {What: broker.PauseTask}, {What: broker.PauseQueue, Name: "a b"}} {
		if err := pauser(t, b).Pause(Context(t), p); err == nil {
			t.Errorf("%+v is paused", p)
		}
	}
}
