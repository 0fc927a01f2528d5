package dtask

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
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
		{"nil", t.Context(), 1, nil, Outcome{Kind: Executed}},
		{"first failure", t.Context(), 1, boom, Outcome{Kind: Retried, Delay: 4 * time.Second}},
		{"second failure", t.Context(), 2, boom, Outcome{Kind: Retried, Delay: 8 * time.Second}},
		{"last failure", t.Context(), 3, boom, Outcome{Kind: Buried}},
		{"permanent", t.Context(), 1, fmt.Errorf("wrapped: %w", Permanent(boom)), Outcome{Kind: Buried}},
		{"retry after", t.Context(), 2, fmt.Errorf("wrapped: %w", RetryAfter(time.Minute, boom)), Outcome{Kind: Retried, Delay: time.Minute}},
		{"retry after the last", t.Context(), 3, RetryAfter(time.Minute, boom), Outcome{Kind: Buried}},
		{"snooze", t.Context(), 3, Snooze(time.Hour), Outcome{Kind: Snoozed, Delay: time.Hour}},
		{"negative snooze", t.Context(), 3, Snooze(-1), Outcome{Kind: Snoozed}},
		{"foreign", t.Context(), 3, &foreignError{boom}, Outcome{Kind: Unknown}},
		{"undecodable", t.Context(), 1, &undecodableError{boom}, Outcome{Kind: Buried}},
		{"interrupted", stopped, 3, fmt.Errorf("read: %w", context.Canceled), Outcome{Kind: Interrupted}},
		{"own failure while stopping", stopped, 1, boom, Outcome{Kind: Retried, Delay: 4 * time.Second}},
		{"own cancellation", t.Context(), 1, context.Canceled, Outcome{Kind: Retried, Delay: 4 * time.Second}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := decide(c.ctx, &Message{Attempt: c.attempt, Attempts: 3}, spec, c.err, 0)
			c.want.Err = c.err
			if got != c.want {
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
		{time.Second, 13, 0, MaxBackoff},
		{time.Second, 1 << 40, 0, MaxBackoff},
		{1 << 62, 2, 0, MaxBackoff},
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
	Outcome{Kind: Unknown, Err: errors.New("no such task"), Delay: time.Second}.apply(m, now)
	Outcome{Kind: Unknown, Err: errors.New("no such task"), Delay: time.Second}.apply(m, now.Add(time.Second))
	if m.Returned != 2 || m.ReturnedSince != now || m.NotBefore != now.Add(2*time.Second) || m.Attempt != 1 || len(m.Failures) != 0 {
		t.Errorf("handed back twice: %+v", m)
	}
	Outcome{Kind: Retried, Err: &PanicError{"ouch", "the stack"}, Delay: time.Minute}.apply(m, now)
	if m.Attempt != 2 || m.Returned != 0 || !m.ReturnedSince.IsZero() || m.NotBefore != now.Add(time.Minute) ||
		!reflect.DeepEqual(m.Failures, []Failure{{1, now, FailurePanic, "panic: ouch", "the stack"}}) {
		t.Errorf("retried: %+v", m)
	}
	Outcome{Kind: Buried, Err: errors.New("no")}.apply(m, now)
	if m.Attempt != 2 || !m.NotBefore.IsZero() || !reflect.DeepEqual(m.Failures, []Failure{{1, now, FailurePanic, "panic: ouch", ""}, {2, now, FailureError, "no", ""}}) {
		t.Errorf("buried: %+v", m)
	}
}

// The history of a message cannot outgrow it.
func TestFailuresAreBounded(t *testing.T) {
	m := &Message{Attempt: 1}
	for range 3 * MaxFailures {
		m.fail(time.Now(), &PanicError{strings.Repeat("ü\xff", MaxErrorSize), strings.Repeat("s", 2*MaxStackSize)})
		m.Attempt++
	}
	if len(m.Failures) != MaxFailures || m.Failures[MaxFailures-1].Attempt != 3*MaxFailures {
		t.Errorf("%d failures, the last of attempt %d", len(m.Failures), m.Failures[len(m.Failures)-1].Attempt)
	}
	for i, f := range m.Failures {
		if len(f.Error) > MaxErrorSize || !strings.HasSuffix(f.Error, "…") || strings.ToValidUTF8(f.Error, "") != f.Error {
			t.Errorf("failure %d: error of %d bytes, %q", i, len(f.Error), f.Error)
		}
		if last := i == MaxFailures-1; last != (f.Stack != "") || len(f.Stack) > MaxStackSize {
			t.Errorf("failure %d: stack of %d bytes", i, len(f.Stack))
		}
	}
}
