package console

import (
	"context"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/operate"
)

func (p *Program) cancel() *cobra.Command {
	var f changeFlags
	var text string
	c := &cobra.Command{
		Use:   "cancel ID… | --select SELECT",
		Short: "Cancel messages that wait or run",
		Long: `Cancel messages. One that waits is gone. One that runs stays with its worker: the context
of its function ends, and it is not retried. A function that ignores that, and returns no
error, is done all the same.

RabbitMQ cannot tell which messages there are: it takes ids, and no selection, and a
message with such an id is skipped when its turn comes, for 7 days. workers --running
lists the ids of what runs, on every broker.

` + aboutChanges,
		Example: "  dtask message cancel 0199c3a1-7f2e-7c11-9a55-3f0e5b7a9d21\n  dtask message cancel --select 'task:mail.Send state:ready,running'",
		RunE: func(c *cobra.Command, ids []string) error {
			if len(ids) > 0 && text == "" {
				return p.cancelIDs(c.Context(), ids, f)
			}
			find, err := named(ids, text)
			if err != nil {
				return err
			}
			return p.change(c.Context(), find, operate.Cancel, f)
		},
	}
	f.add(c)
	p.addSelect(c, &text)
	return c
}

// cancelIDs cancels messages that are named, and says what that meant.
func (p *Program) cancelIDs(ctx context.Context, ids []string, f changeFlags) error {
	ids = slices.Compact(slices.Sorted(slices.Values(ids)))
	return p.with(ctx, func(o *operate.Operator) error {
		if err := p.confirm(len(ids), messages(len(ids), " is", " are")+" to be cancelled", f.yes); err != nil {
			return err
		}
		all, err := o.CancelIDs(ctx, ids...)
		for i, what := range all {
			fmt.Fprintf(p.Err, "%s: %s\n", cell(ids[i]), map[broker.Cancellation]string{
				broker.CancelDone:    "cancelled",
				broker.CancelAsked:   "its worker is told; it is not run again",
				broker.CancelNothing: "neither waits nor runs",
			}[what])
		}
		if err == nil && !slices.ContainsFunc(all, func(what broker.Cancellation) bool { return what != broker.CancelNothing }) {
			err = broker.ErrNoMessage
		}
		return err
	})
}
