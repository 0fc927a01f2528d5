package operate

import (
	"context"
	"fmt"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// outbox checks that what waits in the outbox is relayed.
func (d *diagnosis) outbox(ctx context.Context) {
	if d.o.outbox == nil {
		return
	}
	list, err := d.o.outbox.Waiting(ctx)
	if err != nil {
		d.add("outbox", broker.FindingProblem, "see whether the database of the outbox runs, and what its user may do: docs/transactions.md", "%v", err)
		return
	}
	fine, messages := true, 0
	for _, w := range list {
		messages += w.Messages
		what := fmt.Sprintf("%d messages wait for %s, the first for %v", w.Messages, w.For, time.Since(w.Oldest).Round(time.Second))
		switch {
		case w.Abandoned:
			d.add("outbox", broker.FindingProblem, "start a process with this outbox and that broker; or move them: docs/transactions.md", "%s, and no process relays them", what)
		case time.Since(w.Oldest) > longWait:
			d.add("outbox", broker.FindingWarning, "the log of the processes that relay them says why", "%s", what)
		default:
			continue
		}
		fine = false
	}
	if fine {
		d.add("outbox", broker.FindingOK, "", "%d messages wait, none for long", messages)
	}
}
