package worker

import (
	"maps"
	"testing"

	"github.com/dtaskhq/dtask/runtime/dtask"
)

// The report of a supervisor has the counts of all its children, and what any of
// those that live has found that nobody takes.
func TestReportsAddUp(t *testing.T) {
	first := report{Memory: 1, Stats: dtask.WorkerStats{Done: 1, NotRecorded: 2}, Tasks: map[string]taskCounts{"a": {Done: 1}}, Orphaned: map[string]int{"old": 3, "older": 1}}
	second := report{Memory: 2, Stats: dtask.WorkerStats{Done: 4, Dead: 1}, Tasks: map[string]taskCounts{"a": {Dead: 1}, "b": {Done: 4}}, Orphaned: map[string]int{"old": 5}}
	for _, sum := range []report{first.plus(second), second.plus(first)} {
		if want := map[string]int{"old": 5, "older": 1}; !maps.Equal(sum.Orphaned, want) {
			t.Errorf("orphaned %v, want %v", sum.Orphaned, want)
		}
		if want := (dtask.WorkerStats{Done: 5, Dead: 1, NotRecorded: 2}); sum.Stats != want || sum.Memory != 3 {
			t.Errorf("stats %+v, want %+v", sum.Stats, want)
		}
		if want := map[string]taskCounts{"a": {Done: 1, Dead: 1}, "b": {Done: 4}}; !maps.Equal(sum.Tasks, want) {
			t.Errorf("tasks %v, want %v", sum.Tasks, want)
		}
	}
	if len(first.Orphaned) != 2 {
		t.Errorf("the report of a child has changed: %v", first.Orphaned)
	}
}
