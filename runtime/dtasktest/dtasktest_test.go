package dtasktest_test

import (
	"context"
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/dtaskhq/dtask/runtime/dtask"
	"github.com/dtaskhq/dtask/runtime/dtasktest"
)

type invoiceArgs struct {
	Order int64 `json:"order"`
}

// What dtaskgen writes for: //dtask:task retries=2 backoff=10s
var invoiceTask = dtask.Define[invoiceArgs, dtask.None]("shop.Invoice", dtask.Spec{
	Queue: "default", Retries: 2, Timeout: time.Minute, Backoff: 10 * time.Second, Schema: "order int64",
})

func invoiceTable(fn func(context.Context, int64) error) dtask.Table {
	return dtask.Table{invoiceTask.Bind(func(ctx context.Context, a invoiceArgs) (dtask.None, error) {
		return dtask.None{}, fn(ctx, a.Order)
	})}
}

func TestDelayed(t *testing.T) {
	rec := dtasktest.NewRecorder()
	ctx := rec.Context(t.Context())
	other := dtask.Define[invoiceArgs, dtask.None]("shop.Other", dtask.Spec{Queue: "default"})
	for _, order := range []int64{7, 1 << 62} {
		if _, err := invoiceTask.Delay(ctx, invoiceArgs{order}); err != nil {
			t.Fatal(err)
		}
		if _, err := other.Delay(ctx, invoiceArgs{-order}); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := dtasktest.Delayed(t, rec, invoiceTask), []invoiceArgs{{7}, {1 << 62}}; !reflect.DeepEqual(got, want) {
		t.Errorf("delayed %v, want %v", got, want)
	}
	rec.Reset()
	if got := dtasktest.Delayed(t, rec, invoiceTask); got != nil {
		t.Errorf("after Reset: %v", got)
	}
}

func TestWorkerSteps(t *testing.T) {
	fails := 2
	w := dtasktest.NewWorker(t, invoiceTable(func(context.Context, int64) error {
		if fails--; fails >= 0 {
			return errors.New("printer on fire")
		}
		return nil
	}))
	if _, err := invoiceTask.Delay(w.Context(t.Context()), invoiceArgs{7}, dtask.In(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if s, ok := w.Step(); ok {
		t.Fatalf("ran %+v an hour early", s)
	}
	w.Advance(time.Hour)
	for attempt, want := range []dtask.OutcomeKind{dtask.OutcomeRetried, dtask.OutcomeRetried, dtask.OutcomeDone} {
		s, ok := w.Step()
		if !ok || s.Outcome.Kind != want || s.Message.Attempt != attempt+1 {
			t.Fatalf("attempt %d: %+v, %v; want %v", attempt+1, s, ok, want)
		}
		if again, ok := w.Step(); ok {
			t.Fatalf("attempt %d without its backoff: %+v", attempt+2, again)
		}
		w.Advance(s.Outcome.In)
	}
	if len(w.Messages()) > 0 || len(w.DeadLetters()) > 0 {
		t.Errorf("left: %v, dead: %v", w.Messages(), w.DeadLetters())
	}
}

func TestWorkerDead(t *testing.T) {
	w := dtasktest.NewWorker(t, invoiceTable(func(context.Context, int64) error {
		return dtask.Permanent(errors.New("no such order"))
	}))
	for i := range 3 {
		if _, err := invoiceTask.Delay(w.Context(t.Context()), invoiceArgs{int64(i)}); err != nil {
			t.Fatal(err)
		}
	}
	if steps := w.Drain(); len(steps) != 3 || steps[2].Outcome.Kind != dtask.OutcomeDead {
		t.Fatalf("steps %+v", steps)
	}
	dead := w.DeadLetters()
	if len(dead) != 3 || dead[0].Failures[0].Error != "no such order" {
		t.Errorf("dead letters %+v", dead)
	}
}
