package console

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/operate"
	"github.com/dtaskhq/dtask/runtime/operate/selection"
)

func (p *Program) messages() *cobra.Command {
	var limit int
	var peek string
	c := &cobra.Command{
		Use:   "messages [SELECT]",
		Short: "List messages, in whatever state",
		Long: `List the selected messages: first those that wait, in the order of their delivery,
then those that run, then the dead letters.

RabbitMQ shows dead letters only. There --peek QUEUE looks at the first messages of a
queue, --limit of them, and lists those that are selected. It takes all of these from the
workers, who get them again a second or two later; no attempt is counted.`,
		Example:           "  dtask messages 'state:ready,delayed args.user.id:7'\n  dtask messages 'state:dead error~timeout' -o jsonl\n  dtask messages --peek mail --limit 10",
		ValidArgsFunction: p.completeSelect,
		RunE: func(c *cobra.Command, args []string) error {
			s, err := parse(args)
			if err != nil {
				return err
			}
			return p.with(c.Context(), func(o *operate.Operator) error {
				if peek != "" {
					return p.peek(c.Context(), o, peek, limit, s)
				}
				return hint(o, p.list(c.Context(), o, s, limit))
			})
		},
	}
	addLimit(c, &limit)
	c.Flags().StringVar(&peek, "peek", "", "look at the first messages of this `QUEUE`")
	c.RegisterFlagCompletionFunc("peek", func(c *cobra.Command, _ []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
		return p.completeQueue(c, nil, typed)
	})
	return c
}

func addLimit(c *cobra.Command, limit *int) {
	c.Flags().IntVar(limit, "limit", 100, "list `N` messages at most, 0 for all")
}

// hint adds to an error what can be looked at all the same.
func hint(o *operate.Operator, err error) error {
	if errors.Is(err, broker.ErrUnsupported) && o.Holds() {
		return fmt.Errorf("%w; messages --peek QUEUE looks at the first ones of a queue, workers --running lists what runs", err)
	}
	return err
}

// list prints messages. It says if there are more.
func (p *Program) list(ctx context.Context, o *operate.Operator, s selection.Selection, limit int) error {
	if limit < 0 {
		return usagef("limit %d: use a positive number, or 0 for all", limit)
	}
	asked := limit
	if limit > 0 {
		asked++ // to see whether there are more
	}
	more := false
	rows := func(yield func(broker.Stored, error) bool) {
		n := 0
		for m, err := range o.Messages(ctx, s, asked) {
			if n++; limit > 0 && n > limit && err == nil {
				more = true
				return
			}
			if !yield(m, err) {
				return
			}
		}
	}
	err := write(p, rows, messageColumns, func(m broker.Stored) any { return messageRecordOf(m) })
	if more {
		fmt.Fprintf(p.Err, "the first %d; --limit 0 lists all\n", limit)
	}
	return err
}

// peek prints those of the first messages of a queue that are selected.
func (p *Program) peek(ctx context.Context, o *operate.Operator, queue string, limit int, s selection.Selection) error {
	if limit < 1 || limit > broker.MaxPeek {
		return usagef("limit %d: --peek looks at 1 to %d messages", limit, broker.MaxPeek)
	}
	if o.Holds() {
		fmt.Fprintf(p.Err, "the workers get the first %s of %s again in a second or two\n", messages(limit, "", ""), cell(queue))
	}
	found, err := o.Peek(ctx, queue, limit, s)
	return writeAll(p, found, err, messageColumns, func(m broker.Stored) any { return messageRecordOf(m) })
}

func (p *Program) counts() *cobra.Command {
	return &cobra.Command{
		Use:               "counts [SELECT]",
		Short:             "Count messages by queue, task, schema and state",
		Long:              "Count the selected messages by queue, task, fingerprint of their arguments and\nstate. OLDEST is since when the first of them is ready or dead, or until it is due.",
		Example:           "  dtask counts state:dead\n  dtask counts 'task:mail.*' -o csv",
		ValidArgsFunction: p.completeSelect,
		RunE: func(c *cobra.Command, args []string) error {
			s, err := parse(args)
			if err != nil {
				return err
			}
			return p.with(c.Context(), func(o *operate.Operator) error {
				counts, err := o.Counts(c.Context(), s)
				return writeAll(p, counts, err, countColumns, func(n broker.Count) any { return countRecordOf(n) })
			})
		},
	}
}
