package dtasktest_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/dtaskhq/dtask/runtime/dtask"
	"github.com/dtaskhq/dtask/runtime/dtasktest"
)

// Where nothing runs tasks, waiting for one is a mistake of the test.
func TestWaitOnRecorder(t *testing.T) {
	ctx := dtasktest.NewRecorder().Context(t.Context())
	h, err := invoiceTask.Delay(ctx, invoiceArgs{7}, dtask.Keep(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if _, err := h.Wait(ctx); err == nil || !strings.Contains(err.Error(), "a Recorder runs nothing") {
		t.Errorf("error %v", err)
	}
}

func TestWait(t *testing.T) {
	half := dtask.Define[invoiceArgs, int64]("shop.Half", dtask.Spec{Queue: "default", Keep: time.Hour, Schema: "order int64"})
	w := dtasktest.NewWorker(t, dtask.Table{half.Bind(func(_ context.Context, a invoiceArgs) (int64, error) {
		if a.Order%2 != 0 {
			return 0, dtask.Permanent(errors.New("odd"))
		}
		return a.Order / 2, nil
	})})
	ctx := w.Context(t.Context())
	delay := func(order int64, opts ...dtask.Option) dtask.Handle[int64] {
		h, err := half.Delay(ctx, invoiceArgs{order}, opts...)
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	even, odd, unkept := delay(84), delay(7), delay(2, dtask.Keep(0))

	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := even.Wait(cancelled); !errors.Is(err, context.Canceled) {
		t.Errorf("before the step: %v, want the error of the context", err)
	}
	early := make(chan int64, 1)
	go func() {
		n, _ := even.Wait(ctx)
		early <- n
	}()
	w.Drain()
	if n := <-early; n != 42 {
		t.Errorf("a wait begun before the step: %d, want 42", n)
	}
	if n, err := even.Wait(ctx); n != 42 || err != nil {
		t.Errorf("%d, %v, want 42", n, err)
	}
	var failed *dtask.TaskError
	if _, err := odd.Wait(ctx); !errors.As(err, &failed) || failed.Failure.Error != "odd" {
		t.Errorf("of a task that failed: %v", err)
	}
	if _, err := unkept.Wait(ctx); !errors.Is(err, dtask.ErrNoResult) {
		t.Errorf("of a task that keeps none: %v, want ErrNoResult", err)
	}
	w.Reset()
	if _, err := even.Wait(ctx); !errors.Is(err, dtask.ErrNoResult) {
		t.Errorf("after Reset: %v, want ErrNoResult", err)
	}
}

// What is cancelled does not run, and Wait says so.
func TestCancel(t *testing.T) {
	w := dtasktest.NewWorker(t, dtask.Table{invoiceTask.Bind(func(_ context.Context, a invoiceArgs) (dtask.None, error) {
		if a.Order == 7 {
			t.Error("a task that was cancelled runs")
		}
		return dtask.None{}, nil
	})})
	ctx := w.Context(t.Context())
	var handles []dtask.Handle[dtask.None]
	for _, order := range []int64{7, 8} {
		h, err := invoiceTask.Delay(ctx, invoiceArgs{order}, dtask.Keep(time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		handles = append(handles, h)
	}
	for range 2 {
		if err := handles[0].Cancel(ctx); err != nil {
			t.Error(err)
		}
	}
	w.Drain()
	if _, err := handles[0].Wait(ctx); !errors.Is(err, dtask.ErrCancelled) {
		t.Errorf("wait for what was cancelled: %v", err)
	}
	if _, err := handles[1].Wait(ctx); err != nil {
		t.Error(err)
	}
	if err := handles[1].Cancel(ctx); !errors.Is(err, dtask.ErrNoMessage) {
		t.Errorf("cancel of what is done: %v", err)
	}
}
