package broker

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestHistogram(t *testing.T) {
	var h Histogram
	for _, d := range []time.Duration{-time.Second, 0, 999 * time.Microsecond, time.Millisecond, 3 * time.Millisecond, 2 * time.Hour} {
		h.Add(d)
	}
	if h.Counts[0] != 3 || h.Counts[1] != 1 || h.Counts[2] != 1 || h.Counts[Buckets-1] != 1 || h.Count() != 6 {
		t.Errorf("counts %v", h.Counts)
	}
	if BucketBelow(Buckets-2) < time.Hour {
		t.Errorf("the last bucket begins at %v", BucketBelow(Buckets-2))
	}
	for share, want := range map[float64]time.Duration{0: 0, 0.5: time.Millisecond, 0.6: 2 * time.Millisecond, 0.8: 4 * time.Millisecond, 1: BucketBelow(Buckets - 1)} {
		if got := h.Below(share); got != want {
			t.Errorf("below(%v) = %v, want %v", share, got, want)
		}
	}
	text, err := json.Marshal(h)
	var again Histogram
	if err != nil || json.Unmarshal(text, &again) != nil || again != h {
		t.Errorf("%s is read as %v", text, again)
	}
	for _, wrong := range []string{"[]", "[1,2]", "[1,99,1]", "[1,-1,1]", "{}"} {
		if json.Unmarshal([]byte(wrong), &again) == nil {
			t.Errorf("%s is a histogram", wrong)
		}
	}
}

// Failures are told apart by their words; the newest kinds stay, all are counted.
func TestTallyFailures(t *testing.T) {
	start := time.Unix(1_000_000, 0).UTC()
	var a, b Tally
	for i := range 4 {
		a.AddFailure(TallyFailure{Kind: FailureError, Messages: 1, At: start.Add(time.Duration(i) * time.Second), ID: fmt.Sprint(i), Error: fmt.Sprintf("user u%d at 10.0.0.%d: not found", i, i)})
	}
	want := []TallyFailure{{Kind: FailureError, Messages: 4, At: start.Add(3 * time.Second), ID: "3", Error: "user u3 at 10.0.0.3: not found"}}
	if !reflect.DeepEqual(a.Failures, want) {
		t.Errorf("failures %+v", a.Failures)
	}
	b.AddFailure(TallyFailure{Kind: FailurePanic, Messages: 2, At: start.Add(time.Hour), Error: strings.Repeat("é", MaxTallyError)})
	for i := range 2 * MaxTallyFailures {
		b.AddFailure(TallyFailure{Kind: FailureError, Messages: 1, At: start.Add(time.Minute), Error: strings.Repeat("x", i+1)})
	}
	a.Add(&b)
	messages := a.OtherFailures
	for i, f := range a.Failures {
		messages += f.Messages
		if i > 0 && f.At.After(a.Failures[i-1].At) || len(f.Error) > MaxTallyError {
			t.Errorf("failure %d is %+v", i, f)
		}
	}
	if len(a.Failures) != MaxTallyFailures || messages != 4+2+2*MaxTallyFailures || a.Failures[0].Kind != FailurePanic {
		t.Errorf("%d kinds of %d messages: %+v", len(a.Failures), messages, a.Failures)
	}
}
