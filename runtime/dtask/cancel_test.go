package dtask_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dtaskhq/dtask/runtime/dtask"
)

// What a function returns after a cancel decides its outcome, and a message that was
// cancelled before it is received does not run. One that ignores its timeout as well is
// given up as cancelled.
func TestCancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newFakeBroker()
		var log bytes.Buffer
		release := make(chan struct{})
		table := dtask.Table{dtask.Define[greetArgs, dtask.None]("pkg.Greet", dtask.Spec{
			Queue: "mail", Timeout: time.Minute, Backoff: time.Second, Schema: "name string",
		}).Bind(func(ctx context.Context, a greetArgs) (dtask.None, error) {
			switch a.Name {
			case "before":
				t.Error("a message that was cancelled before runs")
			case "polling": // it never asks for Done
				for ctx.Err() == nil {
					time.Sleep(time.Second)
				}
				if cause := context.Cause(ctx); cause != dtask.ErrCancelled {
					t.Errorf("the cause is %v", cause)
				}
				return dtask.None{}, ctx.Err()
			case "deaf":
				time.Sleep(10 * time.Second)
				return dtask.None{}, nil
			case "stuck":
				<-release
				return dtask.None{}, errors.New("too late")
			}
			<-ctx.Done()
			if a.Name == "snoozing" {
				return dtask.None{}, dtask.Snooze(time.Hour)
			}
			return dtask.None{}, fmt.Errorf("gave up: %w", context.Cause(ctx))
		})}
		w, stop := run(t, b, dtask.WorkerConfig{Logger: slog.New(slog.NewTextHandler(&log, nil))}, table)
		b.cancelled.Store("before", true)
		ids := []string{"before", "polling", "deaf", "stuck", "snoozing", "obedient"}
		for _, id := range ids {
			b.deliver(id)
		}
		synctest.Wait()
		for _, id := range ids {
			b.cancel(id)
			b.cancel(id) // another operator
		}
		b.cancel("nobody")
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		got := b.settlements()
		for _, id := range ids {
			want := "cancelled"
			if id == "deaf" {
				want = "done"
			}
			if strings.Join(got[id], " ") != want {
				t.Errorf("%s: settled %v, want %s", id, got[id], want)
			}
		}
		if s := w.Stats(); s.Cancelled != 5 || s.Done != 1 || s.Retried+s.Dead+s.Snoozed > 0 {
			t.Errorf("stats %+v", s)
		}
		if text := log.String(); strings.Count(text, "task cancelled") != 5 || strings.Contains(text, "retried\"") {
			t.Errorf("log:\n%s", text)
		}
		close(release)
		stop()
	})
}

// A task that was cancelled and goes on when the worker has stopped is not handed back.
func TestCancelAtStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newFakeBroker()
		release := make(chan struct{})
		defer close(release)
		_, stop := run(t, b, dtask.WorkerConfig{Grace: time.Second}, dtask.Table{greet.Bind(func(context.Context, greetArgs) (dtask.None, error) {
			<-release
			return dtask.None{}, nil
		})})
		b.deliver("cancelled")
		b.deliver("other")
		synctest.Wait()
		b.cancel("cancelled")
		stop()
		if got := b.settlements(); strings.Join(got["cancelled"], " ") != "cancelled" || strings.Join(got["other"], " ") != "requeue" {
			t.Errorf("settled %v", got)
		}
	})
}

// Without a broker that can cancel, or a client, the error says so.
func TestCancelUnsupported(t *testing.T) {
	h := greet.Handle("x")
	if err := h.Cancel(t.Context()); !errors.Is(err, dtask.ErrNoClient) {
		t.Errorf("without a client: %v", err)
	}
	if err := h.Cancel(dtask.NewContext(t.Context(), dtask.NewClient(newFakeBroker()))); !errors.Is(err, dtask.ErrUnsupported) {
		t.Errorf("on a broker that cannot: %v", err)
	}
}
