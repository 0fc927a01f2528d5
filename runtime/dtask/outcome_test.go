package dtask

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/dtaskhq/dtask/internal/limit"
	"github.com/dtaskhq/dtask/runtime/broker"
)

func TestDecide(t *testing.T) {
	boom := errors.New("boom")
	stopped, stop := context.WithCancelCause(t.Context())
	stop(errStopped)
	spec := Spec{Backoff: 4 * time.Second}
	for _, c := range []struct {
		name    string
		ctx     context.Context
		attempt int // of 3
		err     error
		want    Outcome
	}{
		{"nil", t.Context(), 1, nil, Outcome{Kind: OutcomeDone}},
		{"first failure", t.Context(), 1, boom, Outcome{Kind: OutcomeRetried, In: 4 * time.Second}},
		{"second failure", t.Context(), 2, boom, Outcome{Kind: OutcomeRetried, In: 8 * time.Second}},
		{"last failure", t.Context(), 3, boom, Outcome{Kind: OutcomeDead}},
		{"permanent", t.Context(), 1, fmt.Errorf("wrapped: %w", Permanent(boom)), Outcome{Kind: OutcomeDead}},
		{"retry after", t.Context(), 2, fmt.Errorf("wrapped: %w", RetryAfter(time.Minute, boom)), Outcome{Kind: OutcomeRetried, In: time.Minute}},
		{"retry after the last", t.Context(), 3, RetryAfter(time.Minute, boom), Outcome{Kind: OutcomeDead}},
		{"snooze", t.Context(), 3, Snooze(time.Hour), Outcome{Kind: OutcomeSnoozed, In: time.Hour}},
		{"negative snooze", t.Context(), 3, Snooze(-1), Outcome{Kind: OutcomeSnoozed}},
		{"foreign", t.Context(), 3, &foreignError{boom}, Outcome{Kind: OutcomeHandedBack}},
		{"undecodable", t.Context(), 1, &undecodableError{boom}, Outcome{Kind: OutcomeDead}},
		{"interrupted", stopped, 3, fmt.Errorf("read: %w", context.Canceled), Outcome{Kind: OutcomeHandedBack}},
		{"own failure while stopping", stopped, 1, boom, Outcome{Kind: OutcomeRetried, In: 4 * time.Second}},
		{"own cancellation", t.Context(), 1, context.Canceled, Outcome{Kind: OutcomeRetried, In: 4 * time.Second}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := decide(c.ctx, &Message{Attempt: c.attempt, Attempts: 3}, spec, c.err, 0)
			c.want.Err = c.err
			if !reflect.DeepEqual(got, c.want) {
				t.Errorf("%+v, want %+v", got, c.want)
			}
		})
	}
}

func TestWrappersOfNil(t *testing.T) {
	if Permanent(nil) != nil || RetryAfter(time.Second, nil) != nil {
		t.Error("the wrapper of a nil error is not nil")
	}
}

func TestRetryDelay(t *testing.T) {
	for _, c := range []struct {
		base    time.Duration
		attempt int
		random  float64
		want    time.Duration
	}{
		{time.Second, 1, 0, time.Second},
		{time.Second, 1, 0.5, 750 * time.Millisecond},
		{time.Second, 5, 0, 16 * time.Second},
		{time.Second, 12, 0, 2048 * time.Second},
		{time.Second, 13, 0, limit.MaxBackoff},
		{time.Second, 1 << 40, 0, limit.MaxBackoff},
		{1 << 62, 2, 0, limit.MaxBackoff},
		{0, 7, 0.9, 0},
	} {
		if got := retryDelay(c.base, c.attempt, c.random); got != c.want {
			t.Errorf("retryDelay(%v, %d, %v) = %v, want %v", c.base, c.attempt, c.random, got, c.want)
		}
	}
}

func TestApply(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	m := &Message{Attempt: 1, Attempts: 3, NotBefore: now.Add(-time.Hour)}
	Outcome{Kind: OutcomeHandedBack, Err: &foreignError{errors.New("no such task")}, In: time.Second}.apply(m, now)
	Outcome{Kind: OutcomeHandedBack, Err: &foreignError{errors.New("no such task")}, In: time.Second}.apply(m, now.Add(time.Second))
	if m.HandedBack != 2 || m.HandedBackSince != now || m.NotBefore != now.Add(2*time.Second) || m.Attempt != 1 || len(m.Failures) != 0 {
		t.Errorf("handed back twice: %+v", m)
	}
	Outcome{Kind: OutcomeRetried, Err: &PanicError{"ouch", "the stack"}, In: time.Minute}.apply(m, now)
	if m.Attempt != 2 || m.HandedBack != 0 || !m.HandedBackSince.IsZero() || m.NotBefore != now.Add(time.Minute) ||
		!reflect.DeepEqual(m.Failures, []Failure{{Attempt: 1, At: now, Kind: broker.FailurePanic, Error: "panic: ouch", Stack: "the stack"}}) {
		t.Errorf("retried: %+v", m)
	}
	Outcome{Kind: OutcomeDead, Err: errors.New("no")}.apply(m, now)
	if m.Attempt != 2 || !m.NotBefore.IsZero() || !reflect.DeepEqual(m.Failures, []Failure{{Attempt: 1, At: now, Kind: broker.FailurePanic, Error: "panic: ouch"}, {Attempt: 2, At: now, Kind: broker.FailureError, Error: "no"}}) {
		t.Errorf("dead: %+v", m)
	}
}

// The history of a message has a bounded size.
func TestFailuresAreBounded(t *testing.T) {
	m := &Message{Attempt: 1}
	for range 3 * broker.MaxFailures {
		addFailure(m, time.Now(), &PanicError{strings.Repeat("ü\xff", broker.MaxErrorSize), strings.Repeat("s", 2*broker.MaxStackSize)})
		m.Attempt++
	}
	if len(m.Failures) != broker.MaxFailures || m.Failures[broker.MaxFailures-1].Attempt != 3*broker.MaxFailures {
		t.Errorf("%d failures, the last of attempt %d", len(m.Failures), m.Failures[len(m.Failures)-1].Attempt)
	}
	for i, f := range m.Failures {
		if len(f.Error) > broker.MaxErrorSize || !strings.HasSuffix(f.Error, "…") || strings.ToValidUTF8(f.Error, "") != f.Error {
			t.Errorf("failure %d: error of %d bytes, %q", i, len(f.Error), f.Error)
		}
		if last := i == broker.MaxFailures-1; last != (f.Stack != "") || len(f.Stack) > broker.MaxStackSize {
			t.Errorf("failure %d: stack of %d bytes", i, len(f.Stack))
		}
	}
}
