package console

import (
	"cmp"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/operate"
)

// errSick: the doctor has found a problem.
var errSick = errors.New("something is wrong")

func (p *Program) doctor() *cobra.Command {
	var management string
	c := &cobra.Command{
		Use:   "doctor",
		Short: "Look for what often goes wrong",
		Long: `Look for what often goes wrong, and say what to do: whether the broker answers, and how
fast; whether workers are alive, of how many builds, with which clocks; queues without a
consumer, messages that wait for long or that no living worker can run, dead letters.

Of RabbitMQ it looks at policies, permissions, replicas and alarms, if --management or
DTASK_MANAGEMENT_URL is the URL of its management API. Without a user in the URL it asks
as the one of the broker. The exit code is 6 if there is a problem; warnings leave it 0.`,
		Example: "  dtask doctor\n  dtask doctor --management http://rabbit1:15672\n  dtask doctor -o json",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return p.with(c.Context(), func(o *operate.Operator) error {
				findings := append(o.Diagnose(c.Context()), o.Examine(c.Context(), cmp.Or(management, p.Getenv("DTASK_MANAGEMENT_URL")))...)
				if err := writeAll(p, findings, nil, findingColumns, func(f operate.Finding) any { return f }); err != nil {
					return err
				}
				problems := 0
				for _, f := range findings {
					if f.State == broker.FindingProblem {
						problems++
					}
				}
				if problems > 0 {
					return fmt.Errorf("%w: %d of the checks say so", errSick, problems)
				}
				return nil
			})
		},
	}
	c.Flags().StringVar(&management, "management", "", "`URL` of the management API of RabbitMQ (default: DTASK_MANAGEMENT_URL)")
	return c
}

var findingColumns = []column[operate.Finding]{
	{key: "check", title: "CHECK", value: func(f operate.Finding) string { return f.Check }},
	{key: "state", title: "STATE", value: func(f operate.Finding) string { return f.State }},
	{key: "text", title: "WHAT", value: func(f operate.Finding) string { return f.Text }, wide: true},
	{key: "do", title: "DO", value: func(f operate.Finding) string { return f.Do }, wide: true},
}
