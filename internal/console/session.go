package console

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/operate"
	"github.com/dtaskhq/dtask/runtime/operate/selection"
)

const (
	// openTimeout is how long the broker may take to answer at first.
	openTimeout = 15 * time.Second

	// completeTimeout is how long somebody waits who has pressed the tab key.
	completeTimeout = 3 * time.Second
)

// with opens the broker and runs f on it.
func (p *Program) with(ctx context.Context, f func(*operate.Operator) error) error {
	if err := p.checkFormat(); err != nil {
		return err
	}
	url, err := p.broker()
	if err != nil {
		return err
	}
	soon, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	b, err := p.Open(soon, url)
	if err != nil {
		return fmt.Errorf("open the broker: %w", err)
	}
	defer b.Close()
	return f(operate.New(b, p.Own...).WithOutbox(p.Outbox))
}

// broker returns the URL of the broker.
func (p *Program) broker() (string, error) {
	url := cmp.Or(p.url, p.URL, p.Getenv("DTASK_URL"))
	if url == "" {
		return "", usagef("no broker; set --url or DTASK_URL, as sqlite:tasks.db")
	}
	return url, nil
}

func (p *Program) checkFormat() error {
	if !slices.Contains(formats, p.format) {
		return usagef("output %.20q: use %s", p.format, strings.Join(formats, ", "))
	}
	return nil
}

// parse returns the selection of the arguments of a command.
func parse(args []string) (selection.Selection, error) {
	s, err := selection.Parse(strings.Join(args, " "))
	if err != nil {
		return s, usageError{err}
	}
	return s, nil
}

// completeQueue completes the name of a queue.
func (p *Program) completeQueue(c *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return p.queueNames(c.Context(), ""), cobra.ShellCompDirectiveNoFileComp
}

// completeSelect completes a term of a selection.
func (p *Program) completeSelect(c *cobra.Command, _ []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
	const noSpace = cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
	field, _, _ := strings.Cut(typed, ":")
	switch field {
	case "queue":
		return p.queueNames(c.Context(), "queue:"), cobra.ShellCompDirectiveNoFileComp
	case "task":
		return p.taskNames(c.Context(), "task:"), cobra.ShellCompDirectiveNoFileComp
	case "state":
		var states []string
		for _, s := range broker.States {
			states = append(states, "state:"+string(s))
		}
		return states, cobra.ShellCompDirectiveNoFileComp
	}
	return []string{"task:", "queue:", "state:", "error~", "kind:", "args.", "age>", "for<", "schema:", "id:", "attempt>"}, noSpace
}

// queueNames returns the names of all queues behind a prefix, or none if that takes
// too long: nobody reads an error there.
func (p *Program) queueNames(ctx context.Context, prefix string) (names []string) {
	ctx, cancel := context.WithTimeout(cmp.Or(ctx, context.Background()), completeTimeout)
	defer cancel()
	p.with(ctx, func(o *operate.Operator) error {
		states, err := o.Queues(ctx)
		for _, s := range states {
			names = append(names, prefix+s.Queue)
		}
		return err
	})
	return names
}
