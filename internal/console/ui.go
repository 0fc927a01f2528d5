package console

import (
	"crypto/rand"
	"fmt"

	"github.com/spf13/cobra"
)

// tokenEnv names the variable with the token of the dashboard.
const tokenEnv = "DTASK_DASHBOARD_TOKEN"

func (p *Program) ui() *cobra.Command {
	var addr string
	var readOnly bool
	c := &cobra.Command{
		Use:   "ui",
		Short: "Serve the pages of operators, for a browser",
		Long: `Serve the pages of operators for a browser, until interrupted: what waits, runs and has
failed, and what can be done about it. They are for this machine alone, unless --addr
names a host.

Whoever opens them is asked for a token, which is printed, or is that of the variable
DTASK_DASHBOARD_TOKEN. With --read-only there is none, and nothing can be changed.`,
		Example: "  dtask ui\n  dtask ui --addr :9000 --read-only",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			url, err := p.broker()
			if err != nil {
				return err
			}
			token := p.Getenv(tokenEnv)
			switch {
			case readOnly:
				token = ""
			case token == "":
				token = rand.Text()
				fmt.Fprintf(p.Err, "the token is %s\n", token)
			}
			return p.UI(c.Context(), url, addr, token, p.Out)
		},
	}
	c.Flags().StringVar(&addr, "addr", "127.0.0.1:8081", "the `ADDRESS` to listen on")
	c.Flags().BoolVar(&readOnly, "read-only", false, "ask for no token, and change nothing")
	return c
}
