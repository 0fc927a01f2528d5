package dtask_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/dtask"
	"github.com/dtaskhq/dtask/runtime/dtasktest"
)

// fakeBroker delivers what a test puts into its channel, and keeps how it was
// settled. Real brokers are tested by brokertest; this one lets synctest
// control the time.
type fakeBroker struct {
	broker.Broker
	deliveries chan broker.Delivery // of all queues
	stop       sync.Once            // closes deliveries
	consumeErr map[string]error

	mu     sync.Mutex
	closed []string // queues
	cancel func(id string)

	cancelled sync.Map // ids
	settled   map[string][]string
}

func newFakeBroker() *fakeBroker {
	return &fakeBroker{deliveries: make(chan broker.Delivery, 100), settled: make(map[string][]string)}
}

func (b *fakeBroker) Consume(_ context.Context, o broker.ConsumeOptions) (broker.Consumer, error) {
	b.cancel = o.Cancelled
	return &fakeConsumer{broker: b, queue: o.Queue}, b.consumeErr[o.Queue]
}

type fakeConsumer struct {
	broker *fakeBroker
	queue  string
}

func (c *fakeConsumer) Deliveries() <-chan broker.Delivery { return c.broker.deliveries }
func (c *fakeConsumer) Unrecorded() []broker.Unrecorded    { return nil }
func (c *fakeConsumer) Stop()                              { c.broker.stop.Do(func() { close(c.broker.deliveries) }) }

func (c *fakeConsumer) Close(context.Context) error {
	c.broker.mu.Lock()
	defer c.broker.mu.Unlock()
	c.broker.closed = append(c.broker.closed, c.queue)
	return nil
}

type fakeDelivery struct {
	broker  *fakeBroker
	message *dtask.Message
}

func (d *fakeDelivery) Message() *dtask.Message { return d.message }

func (d *fakeDelivery) Cancelled() bool {
	_, ok := d.broker.cancelled.Load(d.message.ID)
	return ok
}

func (d *fakeDelivery) Settle(s broker.Settlement) {
	d.broker.mu.Lock()
	defer d.broker.mu.Unlock()
	d.broker.settled[d.message.ID] = append(d.broker.settled[d.message.ID], map[broker.Verdict]string{
		broker.Done: "done", broker.Requeue: "requeue", broker.Dead: "dead", broker.Cancelled: "cancelled",
	}[s.Verdict])
}

func (b *fakeBroker) deliver(id string) *dtask.Message {
	m := &dtask.Message{
		ID: id, Task: "pkg.Greet", Queue: "mail", Schema: "name string", Body: []byte(`{"name":"` + id + `"}`),
		Attempt: 1, Attempts: 3,
	}
	b.deliveries <- &fakeDelivery{b, m}
	return m
}

// settlements returns how each message was settled.
func (b *fakeBroker) settlements() map[string][]string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.settled
}

// run runs a worker in the synctest bubble; stop ends it and waits for it.
func run(t *testing.T, b *fakeBroker, config dtask.WorkerConfig, table dtask.Table) (w *dtask.Worker, stop func()) {
	t.Helper()
	if config.Logger == nil {
		config.Logger = slog.New(slog.DiscardHandler)
	}
	w, err := dtask.NewWorker(dtask.NewClient(b), config, table)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- w.Run(ctx) }()
	return w, func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	}
}

// A task that ignores its timeout is logged with its stack and given up. It blocked
// all slots of the worker, and the worker goes on.
func TestStuckTask(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newFakeBroker()
		var log bytes.Buffer
		release := make(chan struct{})
		stuck := dtask.Table{dtask.Define[greetArgs, dtask.None]("pkg.Greet", dtask.Spec{
			Queue: "mail", Timeout: time.Minute, Backoff: time.Second, Schema: "name string",
		}).Bind(func(ctx context.Context, a greetArgs) (dtask.None, error) {
			if strings.HasPrefix(a.Name, "stuck") {
				<-release
			}
			return dtask.None{}, nil
		})}
		var kinds []dtask.OutcomeKind
		observe := func(next dtask.HandleFunc) dtask.HandleFunc {
			return func(ctx context.Context, m *dtask.Message) dtask.Outcome {
				o := next(ctx, m)
				if strings.HasPrefix(m.ID, "stuck1") {
					kinds = append(kinds, o.Kind)
				}
				return o
			}
		}
		w, stop := run(t, b, dtask.WorkerConfig{Concurrency: 2, Middleware: []dtask.Middleware{observe}, Logger: slog.New(slog.NewTextHandler(&log, nil))}, stuck)
		m := b.deliver("stuck1")
		b.deliver("stuck2")
		b.deliver("good")
		time.Sleep(time.Minute + 30*time.Second)
		synctest.Wait()
		want := map[string][]string{"stuck1": {"requeue"}, "stuck2": {"requeue"}, "good": {"done"}}
		if got := b.settlements(); !reflect.DeepEqual(got, want) {
			t.Errorf("settled %v, want %v", got, want)
		}
		if m.Attempt != 2 || len(m.Failures) != 1 || m.Failures[0].Error != "timeout after 1m0s, which the task ignores" {
			t.Errorf("the stuck message: %+v", m)
		}
		if s := w.Stats(); s.GivenUp != 2 || s.Done != 1 || s.Retried != 2 {
			t.Errorf("stats %+v", s)
		}
		if !strings.Contains(log.String(), "TestStuckTask") || !strings.Contains(log.String(), "task=pkg.Greet") {
			t.Errorf("the log does not show where the task is stuck:\n%s", log.String())
		}
		log.Reset()
		close(release) // it comes back after all: too late to settle
		synctest.Wait()
		if got := b.settlements(); !reflect.DeepEqual(got, want) {
			t.Errorf("settled %v, want %v", got, want)
		}
		if lines := log.String(); strings.Count(lines, "\n") != 2 || !strings.Contains(lines, `msg="given-up task has returned" task=pkg.Greet id=stuck1 queue=mail attempt=1 of=3 took=1m30s`) {
			t.Errorf("the log, after two tasks returned that were given up:\n%s", lines)
		}
		if !reflect.DeepEqual(kinds, []dtask.OutcomeKind{dtask.OutcomeGivenUp}) {
			t.Errorf("the middleware sees outcomes %v, want that it was given up", kinds)
		}
		b.deliver("after")
		stop()
		if got := b.settlements()["after"]; !reflect.DeepEqual(got, []string{"done"}) {
			t.Errorf("after: settled %v", got)
		}
	})
}

// A task may end its goroutine: that is a failed attempt, not a lost slot.
func TestGoexit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newFakeBroker()
		w, stop := run(t, b, dtask.WorkerConfig{Concurrency: 1}, bindGreet(func(_ context.Context, name string) error {
			switch name {
			case "exit":
				runtime.Goexit()
			case "nil map":
				var m map[string]int
				//lint:ignore SA5000 the panic is what the test is about
				m["x"] = 1
			}
			return nil
		}))
		m := b.deliver("exit")
		b.deliver("nil map")
		b.deliver("good")
		synctest.Wait()
		want := map[string][]string{"exit": {"requeue"}, "nil map": {"requeue"}, "good": {"done"}}
		if got := b.settlements(); !reflect.DeepEqual(got, want) {
			t.Errorf("settled %v, want %v", got, want)
		}
		if m.Attempt != 2 || m.Failures[0].Error != "the task, or middleware, called runtime.Goexit" {
			t.Errorf("message %+v", m)
		}
		stop()
		if s := w.Stats(); s.Done != 1 || s.Retried != 2 {
			t.Errorf("stats %+v", s)
		}
	})
}

// Within the grace period a task finishes. After it, the context of the task ends
// and it is handed back. A task that ignores even that does not hold up the stop.
func TestStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newFakeBroker()
		var log bytes.Buffer
		release := make(chan struct{})
		_, stop := run(t, b, dtask.WorkerConfig{Grace: 10 * time.Second, Logger: slog.New(slog.NewTextHandler(&log, nil))}, bindGreet(func(ctx context.Context, name string) error {
			switch name {
			case "short":
				time.Sleep(9 * time.Second)
				return ctx.Err()
			case "long":
				<-ctx.Done()
				return ctx.Err()
			case "finishes late":
				<-ctx.Done()
				return nil
			case "deaf":
				<-release
			}
			return nil
		}))
		var attempts []*dtask.Message
		for _, id := range []string{"short", "long", "finishes late", "deaf"} {
			attempts = append(attempts, b.deliver(id))
		}
		synctest.Wait()
		start := time.Now()
		stop()
		if took := time.Since(start); took != 15*time.Second {
			t.Errorf("stopping took %v, want the grace period and 5s", took)
		}
		want := map[string][]string{"short": {"done"}, "long": {"requeue"}, "finishes late": {"done"}, "deaf": {"requeue"}}
		if got := b.settlements(); !reflect.DeepEqual(got, want) {
			t.Errorf("settled %v, want %v", got, want)
		}
		for _, m := range attempts {
			if m.Attempt != 1 || len(m.Failures) != 0 || !m.NotBefore.IsZero() {
				t.Errorf("the stop cost an attempt: %+v", m)
			}
		}
		log.Reset()
		close(release)
		synctest.Wait()
		if lines := log.String(); strings.Count(lines, "\n") != 1 || !strings.Contains(lines, `msg="given-up task has returned" task=pkg.Greet id=deaf`) {
			t.Errorf("the log, after the task returned that was handed back:\n%s", lines)
		}
	})
}

func TestWorkerMiddleware(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newFakeBroker()
		var order []string
		wrap := func(name string) dtask.Middleware {
			return func(next dtask.HandleFunc) dtask.HandleFunc {
				return func(ctx context.Context, m *dtask.Message) dtask.Outcome {
					order = append(order, name+" before "+m.ID)
					o := next(ctx, m)
					order = append(order, name+" after "+o.Kind.String())
					if name == "outer" && o.Kind == dtask.OutcomeRetried {
						o.Kind = dtask.OutcomeDead // middleware may decide otherwise
					}
					return o
				}
			}
		}
		_, stop := run(t, b, dtask.WorkerConfig{Concurrency: 1, Middleware: []dtask.Middleware{wrap("outer"), wrap("inner")}},
			bindGreet(func(context.Context, string) error { return errors.New("no") }))
		b.deliver("x")
		synctest.Wait()
		stop()
		want := []string{"outer before x", "inner before x", "inner after retried", "outer after retried"}
		if !reflect.DeepEqual(order, want) {
			t.Errorf("order %v, want %v", order, want)
		}
		if got := b.settlements()["x"]; !reflect.DeepEqual(got, []string{"dead"}) {
			t.Errorf("settled %v", got)
		}
	})
}

func TestWorkerLogs(t *testing.T) {
	var log bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	b := newFakeBroker()
	w, err := dtask.NewWorker(dtask.NewClient(b), dtask.WorkerConfig{Logger: logger}, bindGreet(func(_ context.Context, name string) error {
		if name == "bad" {
			return errors.New("smtp: refused")
		}
		return nil
	}))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		id      string
		attempt int
		lines   []string
	}{
		{"good", 1, []string{`level=DEBUG msg="task started" task=pkg.Greet id=good queue=mail attempt=1 of=3`, `level=INFO msg="task done" task=pkg.Greet id=good queue=mail attempt=1 of=3 took=`}},
		{"bad", 2, []string{"DEBUG", `level=WARN msg="task failed; it will be retried" task=pkg.Greet id=bad queue=mail attempt=2 of=3 took=`, `err="smtp: refused" again_in=`}},
		{"bad", 3, []string{"DEBUG", `level=ERROR msg="task moved to the dead letters"`, `err="smtp: refused"`}},
	} {
		log.Reset()
		m := b.deliver(c.id)
		m.Attempt = c.attempt
		dtasktest.Process(t.Context(), w, <-b.deliveries)
		for _, line := range c.lines {
			if !strings.Contains(log.String(), line) {
				t.Errorf("%s: the log has no %q:\n%s", c.id, line, log.String())
			}
		}
		if strings.Contains(log.String(), `"name"`) {
			t.Errorf("arguments in the log:\n%s", log.String())
		}
	}
}

func TestNewWorkerRefuses(t *testing.T) {
	c := dtasktest.NewRecorder().Client()
	table := bindGreet(func(context.Context, string) error { return nil })
	if _, err := dtask.NewWorker(nil, dtask.WorkerConfig{}, table); err == nil || err.Error() != "the client is nil; check the error of dtask.Open" {
		t.Errorf("without a client: error %v", err)
	}
	for _, x := range []struct {
		says   string
		config dtask.WorkerConfig
		tables []dtask.Table
	}{
		{"no queue to consume", dtask.WorkerConfig{}, nil},
		{`task "pkg.Greet" is bound twice`, dtask.WorkerConfig{}, []dtask.Table{table, table}},
		{`task "x" is not bound to a function`, dtask.WorkerConfig{}, []dtask.Table{{{Name: "x"}}}},
		{`queue name "e mail"`, dtask.WorkerConfig{Queues: map[string]int{"e mail": 1}}, []dtask.Table{table}},
		{`concurrency -1 of queue "mail"`, dtask.WorkerConfig{Queues: map[string]int{"mail": -1}}, []dtask.Table{table}},
	} {
		if _, err := dtask.NewWorker(c, x.config, x.tables...); err == nil || !strings.Contains(err.Error(), x.says) {
			t.Errorf("error %v, want %q", err, x.says)
		}
	}
}

// A worker does not schedule. It says so, unless it is told that somebody does.
func TestWorkerWarnsOfPeriodicTasks(t *testing.T) {
	const warning = "this worker only executes them"
	table := bindGreet(func(context.Context, string) error { return nil })
	for _, name := range []string{"pkg.Weekly", "pkg.Daily"} {
		periodic := dtask.Define[struct{}, dtask.None](name, dtask.Spec{Queue: "mail", Cron: "@daily"})
		table = append(table, periodic.Bind(nil))
	}
	for _, c := range []struct {
		table     dtask.Table
		scheduled bool
		warns     int
	}{{table, false, 1}, {table, true, 0}, {table[:1], false, 0}} {
		synctest.Test(t, func(t *testing.T) {
			var log bytes.Buffer
			_, stop := run(t, newFakeBroker(), dtask.WorkerConfig{Scheduled: c.scheduled, Logger: slog.New(slog.NewTextHandler(&log, nil))}, c.table)
			stop()
			if n := strings.Count(log.String(), warning); n != c.warns {
				t.Errorf("scheduled %v, %d tasks: %d warnings, want %d:\n%s", c.scheduled, len(c.table), n, c.warns, log.String())
			}
			if c.warns > 0 && !strings.Contains(log.String(), `tasks="pkg.Daily, pkg.Weekly"`) {
				t.Errorf("the warning does not name the tasks:\n%s", log.String())
			}
		})
	}
}

// A queue that no task is on may be misspelt. It is still consumed.
func TestWorkerWarnsOfQueues(t *testing.T) {
	mail := bindGreet(func(context.Context, string) error { return nil })
	bulk := dtask.Define[struct{}, dtask.None]("pkg.Bulk", dtask.Spec{Queue: "bulk"})
	for _, c := range []struct {
		queues map[string]int
		want   []string
	}{
		{map[string]int{"mial": 3, "bulk": 1, "a": 1}, []string{"a", "mial"}},
		{map[string]int{"mail": 1}, nil},
		{nil, nil},
	} {
		synctest.Test(t, func(t *testing.T) {
			var log bytes.Buffer
			_, stop := run(t, newFakeBroker(), dtask.WorkerConfig{Queues: c.queues, Logger: slog.New(slog.NewTextHandler(&log, nil))}, append(mail, bulk.Bind(nil)))
			stop()
			if n := strings.Count(log.String(), "level=WARN"); n != len(c.want) {
				t.Errorf("queues %v: %d warnings, want %d:\n%s", c.queues, n, len(c.want), log.String())
			}
			for _, q := range c.want {
				if want := fmt.Sprintf("no task of this program is on queue %q; its queues are bulk, mail", q); !strings.Contains(log.String(), fmt.Sprintf("%q", want)) {
					t.Errorf("queues %v: no warning %q:\n%s", c.queues, want, log.String())
				}
			}
		})
	}
}

// If one queue cannot be consumed, the others are closed and Run says which.
func TestConsumeFails(t *testing.T) {
	b := newFakeBroker()
	b.consumeErr = map[string]error{"z": errors.New("no permission")}
	w, err := dtask.NewWorker(dtask.NewClient(b), dtask.WorkerConfig{Queues: map[string]int{"a": 1, "z": 1}, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Run(t.Context()); err == nil || err.Error() != `dtask: consume queue "z": no permission` {
		t.Errorf("error %v", err)
	}
	if !reflect.DeepEqual(b.closed, []string{"a"}) {
		t.Errorf("closed %v, want a", b.closed)
	}
}

// Handlers run at once as often as the queue allows, and no more.
func TestConcurrency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newFakeBroker()
		var now, most atomic.Int64
		_, stop := run(t, b, dtask.WorkerConfig{Queues: map[string]int{"mail": 3}}, bindGreet(func(context.Context, string) error {
			most.Store(max(most.Load(), now.Add(1)))
			defer now.Add(-1)
			time.Sleep(time.Second)
			return nil
		}))
		for range 9 {
			b.deliver("x")
		}
		start := time.Now()
		synctest.Wait()
		stop()
		if most.Load() != 3 || time.Since(start) != 3*time.Second {
			t.Errorf("%d at once, %v in all; want 3 and 3s", most.Load(), time.Since(start))
		}
	})
}
