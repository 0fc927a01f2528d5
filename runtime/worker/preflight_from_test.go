package worker

import (
	"fmt"
	"testing"

	"github.com/dtaskhq/dtask/internal/lock"
	"github.com/dtaskhq/dtask/internal/schema"
	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/dtask"
)

// What a program sends that was rolled back, or is the same, is judged by what the
// lock of the others knows.
func TestJudgedBy(t *testing.T) {
	fingerprint := func(line string) string {
		s, err := schema.Parse([]string{line})
		if err != nil {
			t.Fatal(err)
		}
		return s.Fingerprint()
	}
	now, narrow, other := fingerprint("n int64"), fingerprint("n int32"), fingerprint("n time.Duration")
	text := fmt.Sprintf("dtask.lock 1\nmodule example.com/m\n\ntask m.T\n\tpackage .\n\tqueue q\n"+
		"\targs v3 %s\n\t\tn int64\n\targs v2 %s left 2026-01-02\n\t\tn int32\n\targs v1 %s left 2026-01-01\n\t\tn time.Duration\n", now, narrow, other)
	old, err := lock.Read([]byte(text), "2026-01-03")
	if err != nil {
		t.Fatal(err)
	}
	for fp, want := range map[string]broker.Fate{now: broker.FateRuns, narrow: broker.FateRuns, other: broker.FateRefused, "0123456789abcdef": broker.FateRefused} {
		if got, why := judgedBy(old, dtask.BoundTask{Name: "m.T", Spec: dtask.Spec{Queue: "q", Schema: fp}}); got != want {
			t.Errorf("%s: %s, %s; want %s", fp, got, why, want)
		}
	}
}
