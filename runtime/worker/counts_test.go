package worker

import (
	"context"
	"fmt"
	"testing"

	"github.com/dtaskhq/dtask/runtime/dtask"
)

// Names that come from messages do not make the counts grow: whatever the program
// does not have is counted together.
func TestCountsAreBounded(t *testing.T) {
	c := newCounts(dtask.Table{{Name: "pkg.Known"}})
	handle := c.middleware(func(context.Context, *dtask.Message) dtask.Outcome {
		return dtask.Outcome{Kind: dtask.OutcomeHandedBack}
	})
	for i := range 1000 {
		handle(t.Context(), &dtask.Message{Task: fmt.Sprint("other.", i)})
	}
	handle(t.Context(), &dtask.Message{Task: "pkg.Known"})
	all := c.all(nil)
	if len(all) != 2 || all[foreign].HandedBack != 1000 || all["pkg.Known"].HandedBack != 1 {
		t.Errorf("counts %v", all)
	}
}

// A message under a former name (was=) counts for the task that runs it, and not as
// one of another program.
func TestCountsOfRenamed(t *testing.T) {
	c := newCounts(dtask.Table{{Name: "pkg.New", Spec: dtask.Spec{Was: []string{"pkg.Old"}}}})
	handle := c.middleware(func(context.Context, *dtask.Message) dtask.Outcome {
		return dtask.Outcome{Kind: dtask.OutcomeDone}
	})
	handle(t.Context(), &dtask.Message{Task: "pkg.Old"})
	handle(t.Context(), &dtask.Message{Task: "pkg.New"})
	if all := c.all(nil); len(all) != 1 || all["pkg.New"].Done != 2 {
		t.Errorf("counts %v", all)
	}
}
