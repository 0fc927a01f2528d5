package console

import (
	"github.com/spf13/cobra"

	"github.com/dtaskhq/dtask/runtime/operate"
)

func (p *Program) top() *cobra.Command {
	return &cobra.Command{
		Use:   "top",
		Short: "Watch queues, messages, workers and the journal on the terminal",
		Long: `Watch queues, messages, dead letters, workers and the journal, kept up to date.
Lower-case keys look, upper-case keys change something: they count first, and ask. The
key ? lists them. NO_COLOR is obeyed.`,
		Example: "  dtask top",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if !p.Ask {
				return usagef("top needs a terminal; dtask queues prints once")
			}
			return p.with(c.Context(), func(o *operate.Operator) error { return p.Top(c.Context(), o, p.In, p.Out) })
		},
	}
}
