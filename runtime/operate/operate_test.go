package operate_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dtaskhq/dtask/internal/testenv/postgrestest"
	"github.com/dtaskhq/dtask/internal/testenv/rabbittest"
	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/brokertest"
	"github.com/dtaskhq/dtask/runtime/operate"
	"github.com/dtaskhq/dtask/runtime/operate/selection"
	_ "github.com/dtaskhq/dtask/runtime/postgres"
	_ "github.com/dtaskhq/dtask/runtime/rabbitmq"
	_ "github.com/dtaskhq/dtask/runtime/sqlite"
)

func TestMain(m *testing.M) { brokertest.Main(m) }

// onBrokers runs a test on every broker, with two dead letters on each of two queues.
func onBrokers(t *testing.T, f func(t *testing.T, b broker.Broker)) {
	stores := map[string]func(t *testing.T) string{
		"SQLite":     func(t *testing.T) string { return "sqlite:" + filepath.Join(t.TempDir(), "tasks.db") },
		"PostgreSQL": func(t *testing.T) string { return postgrestest.URL(t) },
		"RabbitMQ":   func(t *testing.T) string { return rabbittest.URL(t) },
	}
	for name, url := range stores {
		t.Run(name, func(t *testing.T) {
			b := open(t, url(t))
			for _, q := range []string{"mail", "images"} {
				die(t, b, q, 2)
			}
			f(t, b)
		})
	}
}

func open(t *testing.T, url string) broker.Broker {
	t.Helper()
	b, err := broker.Open(brokertest.Context(t), url, broker.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

// die makes dead letters.
func die(t *testing.T, b broker.Broker, queue string, n int) {
	t.Helper()
	c := brokertest.Consume(t, b, queue, 1)
	n0 := brokertest.State(t, b, queue).Dead
	for i := range n {
		brokertest.Enqueue(t, b, brokertest.Message(queue))
		d := brokertest.Receive(t, c)
		m := d.Message()
		m.Failures = append(m.Failures, broker.Failure{Attempt: 1, At: time.Now(), Kind: broker.FailureError, Error: fmt.Sprintf("no %s %d", queue, i)})
		d.Settle(broker.Settlement{Verdict: broker.Dead})
	}
	c.Stop()
	brokertest.Eventually(t, func() string {
		if s := brokertest.State(t, b, queue); s.Dead != n0+n {
			return fmt.Sprintf("state %+v, want %d dead", s, n0+n)
		}
		return ""
	})
}

func selected(t *testing.T, text string) selection.Selection {
	t.Helper()
	s, err := selection.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// A plan counts what it then changes, and changes nothing else.
func TestPlan(t *testing.T) {
	onBrokers(t, func(t *testing.T, b broker.Broker) {
		o, ctx := operate.New(b), brokertest.Context(t)
		plan, err := o.Plan(ctx, selected(t, `state:dead error~"no mail"`), operate.Move("attic"))
		if err != nil || plan.Messages != 2 || len(plan.Kinds) != 1 || plan.Kinds[0] != (operate.Kind{Queue: "mail", Task: "pkg.Task", State: broker.StateDead, Messages: 2}) {
			t.Fatalf("plan %+v, %v", plan, err)
		}
		die(t, b, "mails", 1) // not in the plan
		other, err := o.Plan(ctx, selected(t, "state:dead error~1 queue:mail"), operate.Delete)
		if err != nil {
			t.Fatal(err)
		}
		if done, err := other.Do(ctx, operate.Pace{}); done != (operate.Progress{Changed: 1}) || err != nil {
			t.Errorf("another operator deleted: %+v, %v", done, err)
		}
		if done, err := plan.Do(ctx, operate.Pace{Batch: 1}); done != (operate.Progress{Changed: 1, Skipped: 1}) || err != nil {
			t.Errorf("moved: %+v, %v, want one, and one skipped", done, err)
		}
		for q, want := range map[string]int{"mail": 0, "attic": 1, "mails": 1, "images": 2} {
			if s := brokertest.State(t, b, q); s.Dead != want {
				t.Errorf("%s has %d dead letters, want %d", q, s.Dead, want)
			}
		}
		if _, err := o.Plan(ctx, selected(t, "state:running,ready"), operate.Retry); err == nil || !strings.Contains(err.Error(), "cannot be retried") {
			t.Errorf("a plan to retry what runs: %v", err)
		}
	})
}

// A list ends where the caller has enough, and pages follow each other.
func TestMessages(t *testing.T) {
	onBrokers(t, func(t *testing.T, b broker.Broker) {
		for limit, want := range map[int]int{0: 4, 1: 1, 3: 3, 4: 4, 9: 4} {
			n := 0
			for m, err := range operate.New(b).Messages(brokertest.Context(t), selected(t, "state:dead"), limit) {
				if err != nil || m.State != broker.StateDead {
					t.Fatalf("%+v, %v", m, err)
				}
				n++
			}
			if n != want {
				t.Errorf("limit %d: %d messages, want %d", limit, n, want)
			}
		}
	})
}

// Nothing is stored but another JSON object.
func TestEdit(t *testing.T) {
	onBrokers(t, func(t *testing.T, b broker.Broker) {
		o, ctx := operate.New(b), brokertest.Context(t)
		var m broker.Stored
		for first, err := range o.Messages(ctx, selected(t, "state:dead queue:mail"), 1) {
			if m = first; err != nil {
				t.Fatal(err)
			}
		}
		for text, want := range map[string]string{
			"":               "no JSON",
			"[1]":            "no JSON object",
			"null":           "no JSON object",
			"7":              "no JSON object",
			"{\n\"n\":\n,}":  "line 3",
			`{"n":1} {}`:     "no JSON",
			"{\"n\": \n 1 }": operate.ErrUnchanged.Error(),
		} {
			if err := o.Edit(ctx, m, []byte(text)); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("edit to %q: %v, want %q", text, err, want)
			}
		}
		if err := o.Edit(ctx, m, []byte("{ \"n\" : 2 }\n")); err != nil {
			t.Fatal(err)
		}
		if err := o.Edit(ctx, m, []byte(`{"n":3}`)); !errors.Is(err, broker.ErrChanged) {
			t.Errorf("edit of what was: %v, want ErrChanged", err)
		}
		if got, err := o.Message(ctx, m.Message.ID); err != nil || string(got.Message.Body) != `{"n":2}` || got.Message.Schema != m.Message.Schema {
			t.Errorf("edited: %+v, %v", got.Message, err)
		}
	})
}

// A failing broker goes away after some batches.
type failing struct {
	broker.Broker
	broker.Lister
	broker.Editor
	broker.Journal
	left int
}

func newFailing(b broker.Broker, left int) *failing {
	return &failing{b, b.(broker.Lister), b.(broker.Editor), b.(broker.Journal), left}
}

func (f *failing) Retry(ctx context.Context, rs ...broker.Ref) (int, error) {
	if f.left--; f.left < 0 {
		return 0, errors.New("gone")
	}
	return f.Editor.Retry(ctx, rs...)
}

// A plan says how far it came when the broker goes away, or it is interrupted; and
// the same again goes on.
func TestPlanBroken(t *testing.T) {
	onBrokers(t, func(t *testing.T, whole broker.Broker) {
		b := newFailing(whole, 2)
		die(t, whole, "prints", 10)
		o, ctx := operate.New(b), brokertest.Context(t)
		plan := func(want int) *operate.Plan {
			t.Helper()
			p, err := o.Plan(ctx, selected(t, "state:dead queue:prints"), operate.Retry)
			if err != nil || p.Messages != want {
				t.Fatalf("plan %+v, %v, want %d", p, err, want)
			}
			return p
		}
		if done, err := plan(10).Do(ctx, operate.Pace{Batch: 3}); done != (operate.Progress{Changed: 6, Left: 4}) || err == nil {
			t.Errorf("the broker goes away: %+v, %v", done, err)
		}
		b.left = 100
		soon, cancel := context.WithCancel(ctx)
		began := time.Now()
		done, err := plan(4).Do(soon, operate.Pace{Rate: 10, Batch: 1, Progress: func(looked int) {
			if looked == 3 {
				cancel()
			}
		}})
		if done != (operate.Progress{Changed: 3, Left: 1}) || !errors.Is(err, context.Canceled) {
			t.Errorf("interrupted: %+v, %v", done, err)
		}
		if took := time.Since(began); took < 200*time.Millisecond {
			t.Errorf("three took %v, at ten a second", took)
		}
		if done, err := plan(1).Do(ctx, operate.Pace{}); done != (operate.Progress{Changed: 1}) || err != nil {
			t.Errorf("again: %+v, %v", done, err)
		}
		for queue, want := range map[string]int{"prints": 0, "mail": 2} {
			if s := brokertest.State(t, whole, queue); s.Dead != want || queue == "prints" && s.Ready != 10 {
				t.Errorf("%s is %+v; want each retried once, and no others", queue, s)
			}
		}
	})
}

// What RabbitMQ cannot show is refused, not empty.
func TestUnsupported(t *testing.T) {
	b := open(t, rabbittest.URL(t))
	o, ctx := operate.New(b), brokertest.Context(t)
	for _, text := range []string{"", "state:ready", "state:dead,running"} {
		for _, err := range o.Messages(ctx, selected(t, text), 0) {
			if !errors.Is(err, broker.ErrUnsupported) {
				t.Errorf("messages %q: %v", text, err)
			}
		}
		if _, err := o.Counts(ctx, selected(t, text)); !errors.Is(err, broker.ErrUnsupported) {
			t.Errorf("counts %q: %v", text, err)
		}
	}
	if _, err := o.Plan(ctx, selected(t, "queue:mail"), operate.Delete); !errors.Is(err, broker.ErrUnsupported) {
		t.Errorf("a plan for what waits: %v", err)
	}
}

// The first messages of a queue can be looked at on every broker, and are delivered as if
// nobody had.
func TestPeek(t *testing.T) {
	onBrokers(t, func(t *testing.T, b broker.Broker) {
		o, ctx := operate.New(b), brokertest.Context(t)
		for i := range 4 {
			m := brokertest.Message([]string{"mail", "images"}[i%2])
			m.Body = fmt.Appendf(nil, `{"n":%d}`, i)
			brokertest.Enqueue(t, b, m)
		}
		found, err := o.Peek(ctx, "mail", 10, selected(t, "args.n:2"))
		if err != nil || len(found) != 1 || string(found[0].Message.Body) != `{"n":2}` || found[0].State != broker.StateReady {
			t.Errorf("a peek: %+v, %v", found, err)
		}
		if _, err := o.Peek(ctx, "mail", 0, selected(t, "")); err == nil {
			t.Error("a peek at nothing is no error")
		}
		if _, err := o.Peek(ctx, "no queue", 1, selected(t, "")); err == nil {
			t.Error("a peek at a queue that cannot be is no error")
		}
		c := brokertest.Consume(t, b, "mail", 2)
		for range 2 {
			d := brokertest.Receive(t, c)
			if m := d.Message(); m.Attempt != 1 {
				t.Errorf("attempt %d", m.Attempt)
			}
			d.Settle(broker.Settlement{Verdict: broker.Done})
		}
		brokertest.Drained(t, b, c, "mail")
	})
}
