package brokertest

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/dtask"
)

type doubleArgs struct {
	N int `json:"n"`
}

var double = dtask.Define[doubleArgs, int]("double", dtask.Spec{Queue: "work", Backoff: time.Millisecond, Schema: "n int"})

// An outcome can be had from any process, before and after it is there, and
// where there is none the wait does not hang.
func testResults(t *testing.T, store Store) {
	url := store(t)
	b, other := open(t, url), open(t, url)
	ctx := dtask.NewContext(Context(t), dtask.NewClient(b))
	elsewhere := dtask.NewContext(Context(t), dtask.NewClient(other))
	delay := func(n int, opts ...dtask.Option) dtask.Handle[int] {
		t.Helper()
		h, err := double.Delay(ctx, doubleArgs{n}, opts...)
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	kept, failed := delay(21, dtask.Keep(time.Hour)), delay(-1, dtask.Keep(time.Hour), dtask.Retries(1))
	brief, unkept := delay(1, dtask.Keep(time.Millisecond)), delay(2)

	early := make(chan error, 1)
	go func() { // waits for what is not there yet
		n, err := double.Handle(kept.ID).Wait(elsewhere)
		if err == nil && n != 42 {
			err = errors.New("not 42")
		}
		early <- err
	}()
	short, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
	defer cancel()
	if _, err := kept.Wait(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("waiting for a task that nobody runs: %v, want the error of the context", err)
	}

	var lenient atomic.Bool
	start(t, b, dtask.WorkerConfig{}, dtask.Table{double.Bind(func(_ context.Context, a doubleArgs) (int, error) {
		if a.N < 0 && !lenient.Load() {
			return 0, errors.New("negative")
		}
		return 2 * a.N, nil
	})})
	if err := <-early; err != nil {
		t.Errorf("a wait begun before the outcome: %v", err)
	}
	for _, c := range []context.Context{ctx, elsewhere} {
		if n, err := double.Handle(kept.ID).Wait(c); n != 42 || err != nil {
			t.Errorf("a wait after the outcome: %d, %v", n, err)
		}
		_, err := double.Handle(failed.ID).Wait(c)
		var te *dtask.TaskError
		if !errors.As(err, &te) || te.Failure.Attempt != 2 || te.Failure.Kind != broker.FailureError || te.Failure.Error != "negative" {
			t.Errorf("a wait for a task that failed: %v", err)
		}
		for _, id := range []string{unkept.ID, "01890000-0000-7000-8000-ffffffffffff", "never"} {
			if _, err := double.Handle(id).Wait(c); !errors.Is(err, broker.ErrNoResult) {
				t.Errorf("a wait for %s: %v, want ErrNoResult", id, err)
			}
		}
		Eventually(t, func() string {
			if _, err := double.Handle(brief.ID).Wait(c); !errors.Is(err, broker.ErrNoResult) {
				return "a result outlives its Keep"
			}
			return ""
		})
	}

	lenient.Store(true)
	if n, err := admin(t, b).RetryDead(ctx, "work", failed.ID); n != 1 || err != nil {
		t.Fatalf("retried %d dead letters, %v, want 1", n, err)
	}
	for _, c := range []context.Context{ctx, elsewhere} { // from then on the failure is history
		if n, err := double.Handle(failed.ID).Wait(c); n != -2 || err != nil {
			t.Errorf("a wait for a dead letter that is retried: %d, %v, want -2", n, err)
		}
	}
}

// The clock of the process that enqueued has no part in how long a result is kept:
// it may have been wrong by years, in either direction.
func testResultsOfWrongClock(t *testing.T, store Store) {
	url := store(t)
	b := open(t, url)
	ctx := Context(t)
	c := Consume(t, b, "q", 1)
	outcome := func(years int, keep time.Duration) func() (broker.Result, error) {
		t.Helper()
		m := Message("q")
		m.EnqueuedAt = m.EnqueuedAt.AddDate(years, 0, 0)
		m.Keep = keep
		if err := b.Enqueue(ctx, m); err != nil {
			t.Fatal(err)
		}
		d := Receive(t, c)
		d.Settle(broker.Settlement{Verdict: broker.Done, Result: []byte("42")})
		Drained(t, b, c, "q")
		return func() (broker.Result, error) { return as[broker.ResultStore](t, b).Result(ctx, m.ID) }
	}
	for _, years := range []int{5, -5} {
		if r, err := outcome(years, time.Hour)(); err != nil || string(r.Value) != "42" {
			t.Errorf("enqueued with a clock %d years ahead: %q, %v, want the result", years, r.Value, err)
		}
		brief := outcome(years, 10*time.Millisecond)
		Eventually(t, func() string { // it may be stored late, and is kept from then on
			if r, err := brief(); !errors.Is(err, broker.ErrNoResult) {
				return fmt.Sprintf("enqueued with a clock %d years ahead, and kept too long: %q, %v", years, r.Value, err)
			}
			return ""
		})
	}
}
