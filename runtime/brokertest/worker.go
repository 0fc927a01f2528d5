package brokertest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/dtask"
)

type noteArgs struct {
	Text string `json:"text"`
}

// define returns a task of the suite, as generated code would define it.
func define(name string, retries int) dtask.Task[noteArgs, dtask.None] {
	return defineOn("work", name, retries)
}

func defineOn(queue, name string, retries int) dtask.Task[noteArgs, dtask.None] {
	return dtask.Define[noteArgs, dtask.None](name, dtask.Spec{
		Queue:   queue,
		Retries: retries,
		Timeout: 30 * time.Second,
		Backoff: 50 * time.Millisecond,
		Schema:  "text string",
	})
}

// bind binds t to fn.
func bind(t dtask.Task[noteArgs, dtask.None], fn func(context.Context, string) error) dtask.BoundTask {
	return t.Bind(func(ctx context.Context, a noteArgs) (dtask.None, error) { return dtask.None{}, fn(ctx, a.Text) })
}

// start runs a worker of the table until stop is called, or the test ends.
func start(t *testing.T, b broker.Broker, config dtask.WorkerConfig, table dtask.Table) (w *dtask.Worker, stop func()) {
	t.Helper()
	config.Logger = slog.New(slog.DiscardHandler)
	w, err := dtask.NewWorker(dtask.NewClient(b), config, table)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-done; err != nil {
			t.Errorf("worker: %v", err)
		}
	}
	t.Cleanup(stop)
	return w, stop
}

// Every kind of outcome of a task ends where it belongs.
func testWorkerOutcomes(t *testing.T, store Store) {
	b := open(t, store(t))
	ctx := dtask.NewContext(Context(t), dtask.NewClient(b))

	done := make(chan string, 100)
	flaky, broken, wrong, wild, sleepy := define("flaky", 3), define("broken", 1), define("wrong", 5), define("wild", 0), define("sleepy", 0)
	slow := dtask.Define[noteArgs, dtask.None]("slow", dtask.Spec{Queue: "work", Timeout: 10 * time.Millisecond, Schema: "text string"})
	var naps atomic.Int64
	table := dtask.Table{
		bind(flaky, func(ctx context.Context, text string) error {
			info, _ := dtask.InfoFromContext(ctx)
			switch info.Attempt {
			case 1:
				return errors.New("not yet")
			case 2:
				return dtask.RetryAfter(time.Millisecond, errors.New("not yet either"))
			}
			done <- fmt.Sprintf("flaky %s attempt %d of %d", text, info.Attempt, info.Attempts)
			return nil
		}),
		bind(broken, func(context.Context, string) error { return errors.New("always") }),
		bind(wrong, func(context.Context, string) error { return dtask.Permanent(errors.New("no such user")) }),
		bind(wild, func(context.Context, string) error { panic("ouch") }),
		bind(slow, func(ctx context.Context, _ string) error { <-ctx.Done(); return ctx.Err() }),
		bind(sleepy, func(ctx context.Context, _ string) error {
			if naps.Add(1) <= 2 {
				return dtask.Snooze(time.Millisecond)
			}
			info, _ := dtask.InfoFromContext(ctx)
			done <- fmt.Sprintf("sleepy attempt %d", info.Attempt)
			return nil
		}),
	}
	for _, task := range []dtask.Task[noteArgs, dtask.None]{flaky, broken, wrong, wild, slow, sleepy} {
		if _, err := task.Delay(ctx, noteArgs{"one"}); err != nil {
			t.Fatal(err)
		}
	}
	garbage := Message("work")
	garbage.Task, garbage.Schema, garbage.Body = "flaky", "text string", []byte(`{"text":`)
	expired := Message("work")
	expired.Task, expired.Expires = "flaky", time.Now().Add(-time.Second)
	Enqueue(t, b, garbage, expired)

	w, stop := start(t, b, dtask.WorkerConfig{}, table)
	want := map[string]bool{"flaky one attempt 3 of 4": true, "sleepy attempt 1": true}
	for len(want) > 0 {
		select {
		case got := <-done:
			if !want[got] {
				t.Errorf("ran %q", got)
			}
			delete(want, got)
		case <-time.After(Patience):
			t.Fatalf("not executed: %v", want)
		}
	}
	reasons := map[string]string{ // task → what its newest failure says
		"broken": "always", "wrong": "no such user", "wild": "panic: ouch", "slow": "timeout after 10ms",
		"garbage": "cannot be decoded", "expired": "expired at",
	}
	for _, m := range deadLetters(t, b, "work", len(reasons)) {
		key := m.Task
		switch m.ID {
		case garbage.ID:
			key = "garbage"
		case expired.ID:
			key = "expired"
		}
		last := m.Failures[len(m.Failures)-1]
		if !strings.Contains(last.Error, reasons[key]) {
			t.Errorf("dead letter %s says %q, want %q", key, last.Error, reasons[key])
		}
		attempts := 1
		if key == "broken" {
			attempts = 2
		}
		if len(m.Failures) != attempts || m.Attempt != attempts {
			t.Errorf("dead letter %s after %d failures, attempt %d, want %d", key, len(m.Failures), m.Attempt, attempts)
		}
		if key == "wild" && !strings.Contains(last.Stack, "brokertest") {
			t.Errorf("no stack of the panic: %q", last.Stack)
		}
		delete(reasons, key)
	}
	stop()
	if s := w.Stats(); s != (dtask.WorkerStats{Done: 2, Retried: 3, Dead: 6, Snoozed: 2}) {
		t.Errorf("stats %+v", s)
	}
	if s := State(t, b, "work"); s.Ready > 0 || s.Delayed > 0 {
		t.Errorf("left in the queue: %+v", s)
	}
}

// A message of another build is not run, not lost, and costs no attempt: a
// build that knows it takes it.
func testWorkerUnknown(t *testing.T, store Store) {
	b := open(t, store(t))
	spec := define("known", 0).Spec()
	spec.Earlier = []dtask.Earlier{{Schema: "text mail.Text"}}
	known := dtask.Define[noteArgs, dtask.None]("known", spec)
	ran := make(chan dtask.Info, 10)
	handler := bind(known, func(ctx context.Context, text string) error {
		info, _ := dtask.InfoFromContext(ctx)
		ran <- info
		return nil
	})

	renamed := Message("work") // of a build that is not known, though it decodes
	renamed.Task, renamed.Schema, renamed.Body = "known", "text base64", []byte(`{"text":"aGk="}`)
	compatible := Message("work") // of an earlier build, whose values are those of this one
	compatible.Task, compatible.Schema, compatible.Body = "known", "text mail.Text", []byte(`{"text":"hi"}`)
	newer := Message("work")
	newer.Task, newer.Schema, newer.Body, newer.Attempts = "newer", "text string", []byte(`{"text":"hi"}`), 1
	Enqueue(t, b, renamed, newer, compatible)

	old, stop := start(t, b, dtask.WorkerConfig{}, dtask.Table{handler})
	if info := <-ran; info.ID != compatible.ID {
		t.Errorf("ran %+v, want %s", info, compatible.ID)
	}
	Eventually(t, func() string {
		if old.Stats().HandedBack < 2 {
			return fmt.Sprintf("stats %+v, want 2 returned", old.Stats())
		}
		return ""
	})
	stop()

	_, stop = start(t, b, dtask.WorkerConfig{}, dtask.Table{handler, bind(define("newer", 0), func(ctx context.Context, text string) error {
		info, _ := dtask.InfoFromContext(ctx)
		ran <- info
		return nil
	})})
	if info := <-ran; info.ID != newer.ID || info.Attempt != 1 {
		t.Errorf("ran %+v, want %s at attempt 1", info, newer.ID)
	}
	stop()

	// Nobody ever knows it: in the end it is a dead letter that says why.
	start(t, b, dtask.WorkerConfig{KeepUnknown: time.Nanosecond}, dtask.Table{handler})
	dead := deadLetters(t, b, "work", 1)[0]
	reason := dead.Failures[len(dead.Failures)-1].Error
	if dead.ID != renamed.ID || !strings.Contains(reason, "have the schema text base64, which this build does not know") {
		t.Errorf("dead letter %s says %q", dead.ID, reason)
	}
}

// A worker that is told to stop loses nothing, runs nothing twice, and an
// unfinished task costs no attempt.
func testWorkerStop(t *testing.T, store Store) {
	b := open(t, store(t))
	ctx := dtask.NewContext(Context(t), dtask.NewClient(b))
	stuck, quick := define("stuck", 0), define("quick", 0)
	const tasks = 200
	var runs atomic.Int64
	started, all := make(chan dtask.Info, 10), make(chan struct{})
	count := func(context.Context, string) error {
		if runs.Add(1) == tasks {
			close(all)
		}
		return nil
	}

	h, err := stuck.Delay(ctx, noteArgs{})
	if err != nil {
		t.Fatal(err)
	}
	_, stop := start(t, b, dtask.WorkerConfig{Grace: -1, Concurrency: 4}, dtask.Table{
		bind(quick, count),
		bind(stuck, func(ctx context.Context, _ string) error {
			info, _ := dtask.InfoFromContext(ctx)
			started <- info
			<-ctx.Done() // never within any grace
			return ctx.Err()
		}),
	})
	<-started
	args := make([]noteArgs, tasks)
	if _, err := dtask.DelayMany(ctx, quick, args); err != nil {
		t.Fatal(err)
	}
	stop() // in the middle of them

	start(t, b, dtask.WorkerConfig{}, dtask.Table{
		bind(quick, count),
		bind(stuck, func(ctx context.Context, _ string) error {
			info, _ := dtask.InfoFromContext(ctx)
			started <- info
			return nil
		}),
	})
	if info := <-started; info.ID != h.ID || info.Attempt != 1 {
		t.Errorf("after the stop: %+v, want %s at attempt 1", info, h.ID)
	}
	select {
	case <-all:
	case <-time.After(Patience):
		t.Fatalf("%d of %d tasks executed", runs.Load(), tasks)
	}
	Eventually(t, func() string {
		if s := State(t, b, "work"); s.Ready > 0 || s.Running > 0 {
			return fmt.Sprintf("left in the queue: %+v", s)
		}
		return ""
	})
	if n := runs.Load(); n != tasks {
		t.Errorf("%d executions of %d tasks", n, tasks)
	}
	deadLetters(t, b, "work", 0)
}
