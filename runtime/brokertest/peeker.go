package brokertest

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// A peek shows the first messages of one queue, with what there is of them, and leaves
// all as they were: each is delivered once, at its first attempt. Two peeks at once show
// the same, or one after the other.
func testPeek(t *testing.T, store Store) {
	b := open(t, store(t))
	peeker := as[broker.Peeker](t, b)
	want := make(map[string]*broker.Message)
	for i, p := range []broker.Priority{broker.PriorityDefault, broker.PriorityHigh, broker.PriorityLow, broker.PriorityDefault} {
		m := Message("mail")
		m.Priority, m.Body = p, fmt.Appendf(nil, `{"n":%d}`, i)
		Enqueue(t, b, m)
		want[m.ID] = m
	}
	other, later := Message("images"), Message("mail")
	later.NotBefore = time.Now().Add(time.Hour)
	Enqueue(t, b, other, later)

	first, err := peeker.Peek(Context(t), "mail", 1)
	if err != nil || len(first) != 1 || first[0].Message.Priority != broker.PriorityHigh || first[0].State != broker.StateReady || first[0].At.IsZero() {
		t.Fatalf("the first one: %+v, %v; want that of high priority", first, err)
	}
	var both sync.WaitGroup
	for range 2 {
		both.Go(func() {
			if _, err := peeker.Peek(Context(t), "mail", 3); err != nil {
				t.Error(err)
			}
		})
	}
	both.Wait()
	ready := func() string { // those that were put off are there again
		if s := State(t, b, "mail"); s.Ready != len(want) {
			return fmt.Sprintf("%+v, want %d to be ready", s, len(want))
		}
		return ""
	}
	Eventually(t, ready)
	Eventually(t, func() string {
		all, err := peeker.Peek(Context(t), "mail", 100)
		if err != nil {
			t.Fatal(err)
		}
		if len(all) != len(want) { // the one before may hold some still
			Eventually(t, ready)
			return fmt.Sprintf("a peek shows %d messages, want %d", len(all), len(want))
		}
		for _, s := range all {
			m := want[s.Message.ID]
			if m == nil || string(s.Message.Body) != string(m.Body) || s.Message.Priority != m.Priority || s.Message.Attempt != 1 || !s.Message.EnqueuedAt.Truncate(time.Millisecond).Equal(m.EnqueuedAt.Truncate(time.Millisecond)) {
				t.Fatalf("a peek shows %+v, want %+v", s.Message, m)
			}
		}
		return ""
	})
	if some, err := peeker.Peek(Context(t), "nothing", 10); len(some) > 0 || err != nil {
		t.Errorf("of a queue that is not there: %v, %v", some, err)
	}
	for _, n := range []int{0, broker.MaxPeek + 1} {
		if _, err := peeker.Peek(Context(t), "mail", n); err == nil {
			t.Errorf("a peek at %d messages", n)
		}
	}
	mail := Consume(t, b, "mail", 10)
	for range len(want) {
		d := Receive(t, mail)
		m := d.Message()
		if want[m.ID] == nil || m.Attempt != 1 || m.HandedBack != 0 || len(m.Failures) > 0 {
			t.Errorf("delivered %+v, want each once at its first attempt", m)
		}
		delete(want, m.ID)
		d.Settle(broker.Settlement{Verdict: broker.Done})
	}
	Drained(t, b, mail, "mail")
	d := Receive(t, Consume(t, b, "images", 1))
	if d.Message().ID != other.ID {
		t.Errorf("delivered %+v", d.Message())
	}
	d.Settle(broker.Settlement{Verdict: broker.Done})
}

// Peeks again and again, beside workers, lose nothing and cost no attempt.
func testPeekBesideWorkers(t *testing.T, store Store) {
	b := open(t, store(t))
	peeker := as[broker.Peeker](t, b)
	const messages = 200
	enqueueMany(t, b, messages)
	const queue = "q"
	var seen sync.Map
	var settled atomic.Int64
	c := Consume(t, b, queue, 2)
	ended := make(chan struct{})
	var peeking sync.WaitGroup
	peeking.Go(func() {
		for {
			if _, err := peeker.Peek(Context(t), queue, 20); err != nil {
				t.Error(err)
			}
			select {
			case <-ended:
				return
			default:
			}
		}
	})
	for settled.Load() < messages {
		d := Receive(t, c)
		if m := d.Message(); m.Attempt != 1 {
			t.Errorf("attempt %d", m.Attempt)
		} else if _, twice := seen.LoadOrStore(m.ID, true); twice {
			t.Errorf("%s is delivered twice", m.ID)
		}
		settled.Add(1)
		d.Settle(broker.Settlement{Verdict: broker.Done})
	}
	close(ended)
	peeking.Wait()
	Drained(t, b, c, queue)
}
