package console

import (
	"context"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/dtaskhq/dtask/internal/printable"
	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/operate"
)

// steer is a command that gives an order to workers.
func (p *Program) steer(name, short, long, done string, kind broker.OrderKind) *cobra.Command {
	var all, yes bool
	c := &cobra.Command{
		Use:               name + " ID… | --all",
		Short:             short,
		Long:              short + ".\n" + long + "\n\nAn ID is that of the registry (workers -o json), or HOST:PID, or the beginning of one.",
		Example:           "  dtask workers " + name + " web1:4711\n  dtask workers " + name + " --all",
		ValidArgsFunction: p.completeWorker,
		RunE: func(c *cobra.Command, names []string) error {
			if len(names) > 0 == all {
				return usagef("name workers by their ids or HOST:PID, or give --all")
			}
			return p.with(c.Context(), func(o *operate.Operator) error {
				ps, err := o.Workers(c.Context())
				if err == nil && !all {
					ps, err = operate.FindWorkers(ps, names...)
				}
				if err != nil {
					return err
				}
				return p.command(c.Context(), o, ps, broker.Order{Kind: kind}, done, yes)
			})
		},
	}
	c.Flags().BoolVar(&all, "all", false, "all workers of this broker and namespace")
	c.Flags().BoolVar(&yes, "yes", false, "do not ask")
	return c
}

// order gives an order to workers, after it has shown which, and says what became of it.
func (p *Program) command(ctx context.Context, o *operate.Operator, ps []broker.Process, order broker.Order, done string, yes bool) error {
	if len(ps) == 0 {
		return fmt.Errorf("%w: none is known", operate.ErrNoWorker)
	}
	for _, w := range ps {
		fmt.Fprintf(p.Err, "%s, which runs %s\n", cell(operate.Address(w)), messages(w.RunningTotal, "", ""))
	}
	number := strconv.Itoa(len(ps)) + " workers"
	if len(ps) == 1 {
		number = "1 worker"
	}
	if err := p.confirm(len(ps), number+" to be "+done, yes); err != nil {
		return err
	}
	for i, w := range ps {
		if err := o.Command(ctx, w, order); err != nil {
			return fmt.Errorf("%d of %s %s: %w; the same command goes on", i, number, done, err)
		}
	}
	fmt.Fprintln(p.Err, printable.Text(number+" "+done, ""))
	return nil
}

// completeWorker completes host:pid of a worker.
func (p *Program) completeWorker(c *cobra.Command, _ []string, _ string) (names []cobra.Completion, _ cobra.ShellCompDirective) {
	ctx, cancel := context.WithTimeout(c.Context(), completeTimeout)
	defer cancel()
	p.with(ctx, func(o *operate.Operator) error {
		ps, err := o.Workers(ctx)
		for _, w := range ps {
			names = append(names, operate.Address(w))
		}
		return err
	})
	return names, cobra.ShellCompDirectiveNoFileComp
}

func (p *Program) concurrency() *cobra.Command {
	var yes bool
	var only []string
	c := &cobra.Command{
		Use:   "concurrency NAME N",
		Short: "Have the workers of a queue run N of its messages at once each",
		Long: `Have the workers that consume a queue run N of its messages at once, each of them, until
they are restarted. If more run already, they finish.`,
		Example:           "  dtask queue concurrency mail 20\n  dtask queue concurrency mail 2 --worker web1:4711",
		Args:              cobra.ExactArgs(2),
		ValidArgsFunction: p.completeQueue,
		RunE: func(c *cobra.Command, args []string) error {
			n, err := strconv.Atoi(args[1])
			if err != nil {
				return usagef("concurrency %.20q: use a whole number", args[1])
			}
			order := broker.Order{Kind: broker.OrderConcurrency, Queue: args[0], Concurrency: n}
			if err := order.Validate(); err != nil {
				return usageError{err}
			}
			return p.with(c.Context(), func(o *operate.Operator) error {
				ps, err := o.Workers(c.Context())
				if err == nil && len(only) > 0 {
					ps, err = operate.FindWorkers(ps, only...)
				}
				if err != nil {
					return err
				}
				if ps = operate.Consuming(ps, order.Queue); len(ps) == 0 {
					return fmt.Errorf("queue %s: %w consumes it", order.Queue, operate.ErrNoWorker)
				}
				return p.command(c.Context(), o, ps, order, fmt.Sprintf("running %d of %s at once", n, order.Queue), yes)
			})
		},
	}
	c.Flags().StringSliceVar(&only, "worker", nil, "only the worker with this `ID` or HOST:PID")
	c.Flags().BoolVar(&yes, "yes", false, "do not ask")
	return c
}
