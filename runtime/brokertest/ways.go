package brokertest

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// A way is one of the ways by which a message gets into its queue.
type way struct {
	name string

	// enqueue returns nil once the message is enqueued. It may use queue "way".
	enqueue func(t *testing.T, b broker.Broker, m *broker.Message) error

	// silent says that what cannot be enqueued gives no error to the caller.
	silent bool
}

var enqueueWay = way{name: "Enqueue", enqueue: func(t *testing.T, b broker.Broker, m *broker.Message) error {
	return b.Enqueue(Context(t), m)
}}

var enqueueManyWay = way{name: "EnqueueMany", enqueue: func(t *testing.T, b broker.Broker, m *broker.Message) error {
	neighbour := Message("way")
	errs := b.EnqueueMany(Context(t), []*broker.Message{neighbour, m})
	if errs[0] != nil {
		return fmt.Errorf("its neighbour: %w", errs[0])
	}
	return errs[1]
}}

var tickWay = way{name: "Tick", enqueue: func(t *testing.T, b broker.Broker, m *broker.Message) error {
	schedule := "pkg." + strings.ReplaceAll(m.ID[:min(len(m.ID), 36)], " ", "")
	lastTick(t, b, schedule)
	ticked, err := ticks(t, b).Tick(Context(t), schedule, time.Time{}, time.Now().Truncate(time.Second), m)
	if err == nil && !ticked {
		return errors.New("the first tick is refused")
	}
	return err
}}

var thenWay = way{name: "Then", silent: true, enqueue: func(t *testing.T, b broker.Broker, m *broker.Message) error {
	c := Consume(t, b, "way", 1)
	defer closeConsumer(t, c)
	Enqueue(t, b, Message("way"))
	Receive(t, c).Settle(broker.Settlement{Verdict: broker.Done, Then: []*broker.Message{m}})
	return nil
}}

var retryDeadWay = way{name: "RetryDead", enqueue: func(t *testing.T, b broker.Broker, m *broker.Message) error {
	c := Consume(t, b, m.Queue, 1)
	defer closeConsumer(t, c)
	first := *m
	first.NotBefore = time.Time{}
	if err := b.Enqueue(Context(t), &first); err != nil {
		return err
	}
	Receive(t, c).Settle(broker.Settlement{Verdict: broker.Dead})
	deadLetters(t, b, m.Queue, 1)
	if n, err := admin(t, b).RetryDead(Context(t), m.Queue, m.ID); n != 1 || err != nil {
		return fmt.Errorf("retried %d dead letters: %w", n, err)
	}
	return nil
}}

// What holds of Enqueue holds of every other way in.
func testWays(ways ...way) func(*testing.T, Store) {
	return func(t *testing.T, store Store) {
		for _, w := range ways {
			t.Run(w.name, func(t *testing.T) { testWay(t, open(t, store(t)), w) })
		}
	}
}

func testWay(t *testing.T, b broker.Broker, w way) {
	t.Run("fields", func(t *testing.T) { testWayFields(t, b, w) })
	if has[broker.ResultStore](b) {
		t.Run("result", func(t *testing.T) { testWayResult(t, b, w) })
	}
	if w.name != "RetryDead" { // what is retried is due, and was valid
		t.Run("delay", func(t *testing.T) { testWayDelay(t, b, w) })
		t.Run("invalid", func(t *testing.T) { testWayInvalid(t, b, w) })
	}
}

// testWayFields checks that a message arrives as it was made.
func testWayFields(t *testing.T, b broker.Broker, w way) {
	m := Message("fields")
	m.Body = []byte(`{"to":"ü","x":"` + strings.Repeat("y", 100_000) + `"}`)
	m.Priority = broker.PriorityLow
	m.Attempts = 3
	m.Expires = time.Now().Add(time.Hour)
	m.Keep = time.Minute
	m.Headers = map[string]string{"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "Tenant": "größe"}
	if err := w.enqueue(t, b, m); err != nil {
		t.Fatal(err)
	}
	d := Receive(t, Consume(t, b, "fields", 1))
	got, want := sameTimes(d.Message()), sameTimes(m)
	got.NotBefore = time.Time{}
	if w.name == "RetryDead" { // with its history
		got.Failures = nil
	}
	if !reflect.DeepEqual(got, want) {
		got.Body, want.Body = got.Body[:20], want.Body[:20]
		t.Errorf("delivered\n%+v, want\n%+v", got, want)
	}
	d.Settle(broker.Settlement{Verdict: broker.Done})
}

// testWayResult checks that the outcome of a message can be waited for.
func testWayResult(t *testing.T, b broker.Broker, w way) {
	m := Message("result")
	m.Keep = time.Hour
	if err := w.enqueue(t, b, m); err != nil {
		t.Fatal(err)
	}
	d := Receive(t, Consume(t, b, "result", 1))
	waited := make(chan string, 1)
	go func() {
		r, err := results(t, b).Result(Context(t), m.ID)
		waited <- fmt.Sprintf("%s %s %v", r.Task, r.Value, err)
	}()
	time.Sleep(50 * time.Millisecond) // mostly the wait has begun
	d.Settle(broker.Settlement{Verdict: broker.Done, Result: []byte(`"ok"`)})
	if got, want := <-waited, m.Task+` "ok" <nil>`; got != want {
		t.Errorf("the result is %s, want %s", got, want)
	}
}

// testWayDelay checks that a message is never early.
func testWayDelay(t *testing.T, b broker.Broker, w way) {
	m := Message("delay")
	m.NotBefore = time.Now().Add(700 * time.Millisecond)
	if err := w.enqueue(t, b, m); err != nil {
		t.Fatal(err)
	}
	d := Receive(t, Consume(t, b, "delay", 1))
	if early := time.Until(m.NotBefore.Truncate(time.Millisecond)); early > 0 {
		t.Errorf("%v early", early)
	}
	d.Settle(broker.Settlement{Verdict: broker.Done})
}

// testWayInvalid checks that what Validate refuses is not enqueued.
func testWayInvalid(t *testing.T, b broker.Broker, w way) {
	if w.silent {
		return
	}
	c := Consume(t, b, "invalid", 1)
	edits := map[string]func(*broker.Message){
		"large":    func(m *broker.Message) { m.Body = make([]byte, broker.MaxBodySize+1) },
		"id":       func(m *broker.Message) { m.ID = strings.Repeat("i", broker.MaxIDSize+1) },
		"attempts": func(m *broker.Message) { m.Attempts = 0 },
		"keep":     func(m *broker.Message) { m.Keep = -1 },
		"priority": func(m *broker.Message) { m.Priority = 2 },
		"task":     func(m *broker.Message) { m.Task = "" },
		"queue":    func(m *broker.Message) { m.Queue = "a b" },
		"expires":  func(m *broker.Message) { m.Expires = time.Unix(1<<40, 0) },
	}
	for what, edit := range edits {
		m := Message("invalid")
		edit(m)
		err := w.enqueue(t, b, m)
		if err == nil {
			t.Errorf("%s: enqueued", what)
		}
		if what == "large" && !errors.Is(err, broker.ErrTooLarge) {
			t.Errorf("%s: error %v, want ErrTooLarge", what, err)
		}
	}
	Drained(t, b, c, "invalid")
}
