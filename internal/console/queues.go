package console

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/operate"
)

func (p *Program) queues() *cobra.Command {
	return &cobra.Command{
		Use:     "queues",
		Short:   "List the queues with what is ready, running, delayed and dead",
		Example: "  dtask queues\n  dtask queues -o json",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return p.with(c.Context(), func(o *operate.Operator) error {
				states, err := o.Queues(c.Context())
				return writeAll(p, states, err, queueColumns, func(s broker.QueueState) any { return queueRecordOf(s) })
			})
		},
	}
}

func (p *Program) orphans() *cobra.Command {
	return &cobra.Command{
		Use:     "orphans",
		Short:   "List the queues that have messages and no worker",
		Long:    "List the queues that have messages waiting and no consumer in any process. Paused\nqueues are not among them.",
		Example: "  dtask orphans",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return p.with(c.Context(), func(o *operate.Operator) error {
				states, err := o.Orphans(c.Context())
				return writeAll(p, states, err, queueColumns, func(s broker.QueueState) any { return queueRecordOf(s) })
			})
		},
	}
}

func (p *Program) queue() *cobra.Command {
	queue := &cobra.Command{
		Use:     "queue",
		Short:   "Pause, resume or purge a queue, or change its concurrency",
		Example: "  dtask queue pause mail",
	}
	queue.AddCommand(
		p.pauseQueue(), p.resumeQueue(), p.concurrency(),
		p.purge(),
	)
	return queue
}

func (p *Program) purge() *cobra.Command {
	var yes bool
	c := &cobra.Command{
		Use:               "purge NAME",
		Short:             "Delete what is ready and delayed of a queue",
		Long:              "Delete what is ready and delayed of a queue. What runs goes on, and dead letters\nstay: dead delete deletes them.",
		Example:           "  dtask queue purge mail",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: p.completeQueue,
		RunE: func(c *cobra.Command, args []string) error {
			return p.with(c.Context(), func(o *operate.Operator) error {
				states, err := o.Queues(c.Context())
				if err != nil {
					return err
				}
				for _, s := range states {
					if s.Queue == args[0] {
						return p.purgeQueue(c.Context(), o, s, yes)
					}
				}
				return fmt.Errorf("%w: there is no queue %.100q", errNothing, args[0])
			})
		},
	}
	c.Flags().BoolVar(&yes, "yes", false, "do not ask")
	return c
}

func (p *Program) purgeQueue(ctx context.Context, o *operate.Operator, s broker.QueueState, yes bool) error {
	n := s.Ready + max(s.Delayed, 0)
	ofQueue := " of queue " + s.Queue
	text := messages(n, ofQueue+" is", ofQueue+" are")
	if s.Delayed < 0 {
		n = s.Ready
		text = messages(n, "", "") + ", and an unknown number of delayed ones," + ofQueue + " are"
	} else if n == 0 {
		return fmt.Errorf("%w: queue %s has none that is ready or delayed", errNothing, s.Queue)
	}
	if err := p.confirm(n, text+" to be deleted", yes); err != nil {
		return err
	}
	done, err := o.Purge(ctx, s.Queue)
	if err != nil {
		return fmt.Errorf("%s deleted, and then: %w", messages(done, " was", " were"), err)
	}
	fmt.Fprintf(p.Err, "%s deleted\n", messages(done, "", ""))
	return nil
}
