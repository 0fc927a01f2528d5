package brokertest

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// refsOf returns the names of what is listed.
func refsOf(stored []broker.Stored) (rs []broker.Ref) {
	for _, s := range stored {
		rs = append(rs, s.Ref())
	}
	return rs
}

// selected are the messages of a queue in a state.
func selected(t *testing.T, b broker.Broker, queue string, state broker.State) []broker.Stored {
	t.Helper()
	return list(t, b, broker.Selection{Queues: []string{queue}, States: []broker.State{state}})
}

// Arguments are replaced, and nothing else; who comes too late hears of it.
func testEdit(t *testing.T, store Store) {
	b := open(t, store(t))
	assorted(t, b)
	editor := as[broker.Editor](t, b)
	for _, state := range shown(t, b) {
		s := selected(t, b, "mail", state)[0]
		old := broker.Arguments{Body: s.Message.Body, Schema: s.Message.Schema}
		mine := broker.Arguments{Body: []byte(`{"n":2}`), Schema: "abcd9999"}
		err := editor.Edit(Context(t), s.Ref(), old, mine)
		if state == broker.StateRunning {
			if !errors.Is(err, broker.ErrChanged) {
				t.Errorf("edit of a running message: %v, want ErrChanged", err)
			}
			continue
		}
		if err != nil {
			t.Errorf("edit of a %s message: %v", state, err)
			continue
		}
		if err := editor.Edit(Context(t), s.Ref(), old, broker.Arguments{Body: []byte(`{"n":3}`)}); !errors.Is(err, broker.ErrChanged) {
			t.Errorf("a second edit of what was: %v, want ErrChanged", err)
		}
		got, err := as[broker.Lister](t, b).Stored(Context(t), s.Message.ID)
		if err != nil || string(got.Message.Body) != `{"n":2}` || got.Message.Schema != "abcd9999" || got.State != s.State || !got.At.Equal(s.At) || got.Message.Attempts != s.Message.Attempts || len(got.Message.Failures) != len(s.Message.Failures) {
			t.Errorf("%s, edited: %+v, %v; was %+v", state, got, err, s)
		}
		if err := editor.Edit(Context(t), s.Ref(), mine, broker.Arguments{Body: make([]byte, broker.MaxBodySize+1)}); !errors.Is(err, broker.ErrTooLarge) {
			t.Errorf("edit with too much: %v, want ErrTooLarge", err)
		}
	}
	gone := broker.Ref{ID: "no such id", Queue: "mail", State: broker.StateDead, At: time.Now()}
	if err := editor.Edit(Context(t), gone, broker.Arguments{}, broker.Arguments{Body: []byte(`{}`)}); !errors.Is(err, broker.ErrChanged) {
		t.Errorf("edit of what is not there: %v, want ErrChanged", err)
	}
}

// Messages move to another queue, and are what they were.
func testMove(t *testing.T, store Store) {
	b := open(t, store(t))
	assorted(t, b)
	editor := as[broker.Editor](t, b)
	for _, state := range shown(t, b) {
		here := selected(t, b, "mail", state)
		n, err := editor.Move(Context(t), "attic", append(refsOf(here), broker.Ref{ID: "no such id", Queue: "mail", State: state})...)
		want := len(here)
		if state == broker.StateRunning {
			want = 0
		}
		if n != want || err != nil {
			t.Errorf("moved %d %s messages, %v, want %d", n, state, err, want)
		}
		there := selected(t, b, "attic", state)
		if len(there) != want || len(selected(t, b, "mail", state)) != len(here)-want {
			t.Errorf("%d %s messages are there, want %d", len(there), state, want)
		}
		for _, s := range there {
			if len(s.Message.Failures) != len(here[0].Message.Failures) || s.Message.Task != here[0].Message.Task {
				t.Errorf("moved %+v, was %+v", s.Message, here[0].Message)
			}
		}
	}
	if _, err := editor.Move(Context(t), "a b"); err == nil {
		t.Error("messages move to a queue that cannot be")
	}
}

// Messages are deleted once, and running ones are not.
func testDelete(t *testing.T, store Store) {
	b := open(t, store(t))
	assorted(t, b)
	editor := as[broker.Editor](t, b)
	for _, state := range shown(t, b) {
		rs := refsOf(selected(t, b, "mail", state))
		want := len(rs)
		if state == broker.StateRunning {
			want = 0
		}
		if n, err := editor.Delete(Context(t), rs...); n != want || err != nil {
			t.Errorf("deleted %d %s messages, %v, want %d", n, state, err, want)
		}
		if n, err := editor.Delete(Context(t), rs...); n != 0 || err != nil {
			t.Errorf("deleted %d %s messages again, %v", n, state, err)
		}
		if left := selected(t, b, "mail", state); len(left) != len(rs)-want {
			t.Errorf("%d %s messages are left, want %d", len(left), state, len(rs)-want)
		}
		if len(selected(t, b, "images", state)) == 0 {
			t.Errorf("the %s messages of the other queue are gone", state)
		}
	}
}

// Dead letters and delayed messages are due at once, and begin anew.
func testRetry(t *testing.T, store Store) {
	b := open(t, store(t))
	assorted(t, b)
	editor := as[broker.Editor](t, b)
	due := 2
	for _, state := range shown(t, b) {
		rs := refsOf(selected(t, b, "mail", state))
		want := 0
		if state == broker.StateDead || state == broker.StateDelayed {
			want = len(rs)
		}
		if n, err := editor.Retry(Context(t), rs...); n != want || err != nil {
			t.Errorf("retried %d %s messages, %v, want %d", n, state, err, want)
		}
		due += want
	}
	c := Consume(t, b, "mail", 1)
	for range due {
		d := Receive(t, c)
		if d.Message().Attempt != 1 {
			t.Errorf("delivered %+v, want attempt 1", d.Message())
		}
		d.Settle(broker.Settlement{Verdict: broker.Done})
	}
	Drained(t, b, c, "mail")
}

// Two operators see the same dead letters and retry them at once: each letter obeys
// one of them. What dies again is not what they saw.
func testTwoOperators(t *testing.T, store Store) {
	const n = 300
	url := store(t)
	b := open(t, url)
	died(t, b, "q", n)
	Eventually(t, func() string {
		if s := State(t, b, "q"); s.Dead != n {
			return fmt.Sprintf("state %+v, want %d dead", s, n)
		}
		return ""
	})
	operators := []broker.Broker{open(t, url), open(t, url)}
	var seen [2][]broker.Ref
	for i, o := range operators {
		if seen[i] = refsOf(selected(t, o, "q", broker.StateDead)); len(seen[i]) != n {
			t.Fatalf("operator %d sees %d dead letters, want %d", i, len(seen[i]), n)
		}
	}
	var both sync.WaitGroup
	var retried [2]int
	for i, o := range operators {
		both.Go(func() {
			var err error
			if retried[i], err = as[broker.Editor](t, o).Retry(Context(t), seen[i]...); err != nil {
				t.Errorf("operator %d: %v", i, err)
			}
		})
	}
	both.Wait()
	if retried[0]+retried[1] != n {
		t.Errorf("retried %d, want %d in sum", retried, n)
	}
	c := Consume(t, b, "q", 1)
	for range n {
		d := Receive(t, c)
		m := d.Message()
		m.Failures = append(m.Failures, broker.Failure{Attempt: m.Attempt, At: time.Now(), Error: "again"})
		d.Settle(broker.Settlement{Verdict: broker.Dead})
	}
	Drained(t, b, c, "q")
	Eventually(t, func() string {
		if s := State(t, b, "q"); s.Dead != n {
			return fmt.Sprintf("state %+v, want %d dead again", s, n)
		}
		return ""
	})
	for i, o := range operators {
		if again, err := as[broker.Editor](t, o).Retry(Context(t), seen[i]...); again != 0 || err != nil {
			t.Errorf("operator %d retried %d letters that it has not seen, %v", i, again, err)
		}
	}
}
