package brokertest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/dtask"
)

// cancel cancels messages, of which each is to be there.
func cancel(t *testing.T, b broker.Broker, ids ...string) []broker.Cancellation {
	t.Helper()
	all, err := as[broker.Canceller](t, b).Cancel(Context(t), ids...)
	if err != nil || len(all) != len(ids) {
		t.Fatalf("cancel %s: %v, %v", ids, all, err)
	}
	return all
}

// ran is a table of one task that notes what it runs.
type ran struct {
	task dtask.Task[noteArgs, dtask.None]
	runs chan string
}

func newRan(name string) *ran { return &ran{define(name, 3), make(chan string, 100)} }

func (r *ran) table(f func(context.Context, string) error) dtask.Table {
	return dtask.Table{bind(r.task, func(ctx context.Context, text string) error {
		r.runs <- text
		return f(ctx, text)
	})}
}

// next returns what runs next.
func (r *ran) next(t *testing.T) string {
	t.Helper()
	select {
	case text := <-r.runs:
		return text
	case <-time.After(Patience):
		t.Fatal("nothing runs")
	}
	panic("unreachable")
}

func (r *ran) delay(t *testing.T, ctx context.Context, text string, opts ...dtask.Option) dtask.Handle[dtask.None] {
	t.Helper()
	h, err := r.task.Delay(ctx, noteArgs{text}, append(opts, dtask.Keep(time.Hour))...)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func wantCancelled(t *testing.T, ctx context.Context, h dtask.Handle[dtask.None]) {
	t.Helper()
	if _, err := h.Wait(ctx); !errors.Is(err, dtask.ErrCancelled) {
		t.Errorf("wait for a task that was cancelled: %v", err)
	}
}

// What waits does not run, whoever cancels it, how often, and from where; in another
// namespace it does.
func testCancelWaiting(t *testing.T, store Store) {
	url := store(t)
	b, operator, stranger := open(t, url), open(t, url), open(t, store(t))
	ctx := dtask.NewContext(Context(t), dtask.NewClient(b))
	r := newRan("waiting")
	first, second := r.delay(t, ctx, "cancelled"), r.delay(t, ctx, "cancelled, too")
	later := r.delay(t, ctx, "later", dtask.In(2*time.Second))
	if err := first.Cancel(ctx); err != nil {
		t.Error(err)
	}
	var both sync.WaitGroup
	for _, o := range []broker.Broker{operator, b} {
		both.Go(func() {
			for _, what := range cancel(t, o, second.ID, later.ID, first.ID) {
				if what == broker.CancelNothing {
					t.Error("a message that waits cannot be cancelled, or not twice")
				}
			}
		})
	}
	both.Wait()

	elsewhere := dtask.NewContext(Context(t), dtask.NewClient(stranger))
	same := r.delay(t, elsewhere, "elsewhere", dtask.ID(first.ID))
	w, _ := start(t, b, dtask.WorkerConfig{}, r.table(func(context.Context, string) error { return nil }))
	start(t, stranger, dtask.WorkerConfig{}, r.table(func(context.Context, string) error { return nil }))
	if got := r.next(t); got != "elsewhere" {
		t.Errorf("%s runs", got)
	}
	if _, err := same.Wait(elsewhere); err != nil {
		t.Errorf("wait in another namespace: %v", err)
	}
	for _, h := range []dtask.Handle[dtask.None]{first, second, later} {
		wantCancelled(t, ctx, h)
	}
	last := r.delay(t, ctx, "last")
	if got := r.next(t); got != "last" {
		t.Errorf("%s runs", got)
	}
	if _, err := last.Wait(ctx); err != nil {
		t.Error(err)
	}
	Eventually(t, func() string { // the result may be there before its worker knows
		if s := w.Stats(); s.Done != 1 || s.Retried+s.Dead > 0 {
			return fmt.Sprintf("stats %+v, want 1 done", s)
		}
		return ""
	})
}

// The contexts of running tasks end, for their reason. What a function returns decides:
// an error means that it is cancelled and not retried. Its neighbour goes on.
func testCancelRunning(t *testing.T, store Store) {
	url := store(t)
	b, operator := open(t, url), open(t, url)
	ctx := dtask.NewContext(Context(t), dtask.NewClient(b))
	r := newRan("running")
	release := make(chan struct{})
	w, _ := start(t, b, dtask.WorkerConfig{}, r.table(func(ctx context.Context, text string) error {
		switch text {
		case "neighbour":
			<-release
			return ctx.Err()
		case "deaf":
			<-ctx.Done()
			<-release
			return nil
		case "failing":
			<-ctx.Done()
			return errors.New("its database is gone")
		case "panicking":
			<-ctx.Done()
			panic("no answer")
		}
		<-ctx.Done()
		if cause := context.Cause(ctx); !errors.Is(cause, dtask.ErrCancelled) {
			return dtask.Permanent(fmt.Errorf("the cause is %w", cause))
		}
		return ctx.Err()
	}))
	handles := make(map[string]dtask.Handle[dtask.None])
	texts := []string{"obedient", "also obedient", "failing", "panicking", "deaf", "neighbour"}
	for _, text := range texts {
		handles[text] = r.delay(t, ctx, text)
	}
	for range texts {
		r.next(t)
	}
	var both sync.WaitGroup
	for _, o := range []broker.Broker{operator, b} {
		both.Go(func() {
			for _, text := range texts[:5] {
				if what := cancel(t, o, handles[text].ID)[0]; what == broker.CancelNothing && text == "deaf" {
					t.Errorf("%s runs, and cannot be cancelled", text)
				}
			}
		})
	}
	both.Wait()
	for _, text := range texts[:4] {
		wantCancelled(t, ctx, handles[text])
	}
	close(release)
	for _, text := range texts[4:] {
		if _, err := handles[text].Wait(ctx); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
	r.delay(t, ctx, "fence").Cancel(ctx)
	Eventually(t, func() string {
		if s := w.Stats(); s.Cancelled < 4 || s.Done != 2 || s.Retried+s.Dead+s.HandedBack > 0 {
			return fmt.Sprintf("stats %+v, want 4 cancelled and 2 done", s)
		}
		return ""
	})
}

// A message that was cancelled while it ran does not run again when its worker dies.
func testCancelKilled(t *testing.T, store Store) {
	url := store(t)
	b := open(t, url)
	ctx := dtask.NewContext(Context(t), dtask.NewClient(b))
	stubborn := &ran{define("stubborn", 2), make(chan string, 10)}
	cancelled, other := stubborn.delay(t, ctx, "cancelled"), stubborn.delay(t, ctx, "other")
	c := spawn(t, url)
	for range 2 {
		c.line(t)
	}
	cancel(t, b, cancelled.ID)
	c.kill()
	start(t, b, dtask.WorkerConfig{}, stubborn.table(func(context.Context, string) error { return nil }))
	if got := stubborn.next(t); got != "other" {
		t.Errorf("%s runs again", got)
	}
	if _, err := other.Wait(ctx); err != nil {
		t.Error(err)
	}
	wantCancelled(t, ctx, cancelled)
}

// A dead letter is no longer cancelled once it is retried.
func testCancelRetried(t *testing.T, store Store) {
	b := open(t, store(t))
	ctx := dtask.NewContext(Context(t), dtask.NewClient(b))
	r := newRan("retried")
	var calls atomic.Int64
	start(t, b, dtask.WorkerConfig{}, r.table(func(context.Context, string) error {
		if calls.Add(1) == 1 {
			return dtask.Permanent(errors.New("no such user"))
		}
		return nil
	}))
	h := r.delay(t, ctx, "dead")
	deadLetters(t, b, "work", 1)
	cancel(t, b, h.ID)
	if n, err := admin(t, b).RetryDead(ctx, "work", h.ID); n != 1 || err != nil {
		t.Fatalf("retried %d, %v", n, err)
	}
	if _, err := h.Wait(ctx); err != nil {
		t.Errorf("the task is retried: %v", err)
	}
}
