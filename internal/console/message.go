package console

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/operate"
)

func (p *Program) message() *cobra.Command {
	message := &cobra.Command{
		Use:     "message",
		Short:   "Show, edit, retry, cancel, delete or move messages by their ids",
		Example: "  dtask message show 0199c3a1-7f2e-7c11-9a55-3f0e5b7a9d21",
	}
	message.AddCommand(p.show(), p.edit(), p.cancel(),
		p.changeIDs("retry", "Make delayed messages due now, and return dead letters to their queues", operate.Retry),
		p.changeIDs("delete", "Delete messages that do not run", operate.Delete),
		p.move(),
	)
	return message
}

// addReveal adds the flag of what shows arguments.
func addReveal(c *cobra.Command, reveal *bool) {
	c.Flags().BoolVar(reveal, "reveal", false, "show secret arguments, too")
}

// mask returns what hides the secrets of a message.
func mask(ctx context.Context, o *operate.Operator, id string, reveal bool) (*operate.Mask, error) {
	if reveal {
		return o.Reveal(ctx, id)
	}
	return o.Mask(ctx), nil
}

func (p *Program) show() *cobra.Command {
	var reveal bool
	c := &cobra.Command{
		Use:   "show ID",
		Short: "Show all of a message: its arguments, and what went wrong",
		Long: `Show all of a message: its arguments, and what went wrong. Secret arguments are masked
as "***", and so are all of a message of which no living worker knows what is secret.
--reveal shows them, and the journal keeps who asked.`,
		Example: "  dtask message show 0199c3a1-7f2e-7c11-9a55-3f0e5b7a9d21\n  dtask message show 0199c3a1-7f2e-7c11-9a55-3f0e5b7a9d21 -o json",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return p.with(c.Context(), func(o *operate.Operator) error {
				m, err := o.Message(c.Context(), args[0])
				if err != nil {
					return err
				}
				mask, err := mask(c.Context(), o, m.Message.ID, reveal)
				if err != nil {
					return err
				}
				if p.format == "table" {
					return p.showMessage(m, mask)
				}
				return writeAll(p, []broker.Stored{m}, nil, messageColumns, func(m broker.Stored) any { return wholeRecordOf(m, mask.Body(m.Message)) })
			})
		},
	}
	addReveal(c, &reveal)
	return c
}

// changeIDs is a command for messages that are named, or selected.
func (p *Program) changeIDs(name, short string, a operate.Action) *cobra.Command {
	var f changeFlags
	var text string
	c := &cobra.Command{
		Use:     name + " ID… | --select SELECT",
		Short:   short,
		Long:    short + ".\n\n" + aboutChanges,
		Example: "  dtask message " + name + " 0199c3a1-7f2e-7c11-9a55-3f0e5b7a9d21\n  dtask message " + name + " --select 'state:delayed args.user.id:7'",
		RunE: func(c *cobra.Command, ids []string) error {
			find, err := named(ids, text)
			if err != nil {
				return err
			}
			return p.change(c.Context(), find, a, f)
		},
	}
	f.add(c)
	p.addSelect(c, &text)
	return c
}

func (p *Program) move() *cobra.Command {
	var f changeFlags
	var text, to string
	c := &cobra.Command{
		Use:     "move ID… | --select SELECT --to QUEUE",
		Short:   "Move messages that do not run to another queue",
		Long:    "Move messages that do not run to another queue. They stay what they are: a dead letter\nis then one of that queue.\n\n" + aboutChanges,
		Example: "  dtask message move --select 'queue:old' --to mail",
		RunE: func(c *cobra.Command, ids []string) error {
			find, err := named(ids, text)
			if err != nil {
				return err
			}
			if err := broker.ValidateQueue(to); err != nil {
				return usagef("--to: %w", err)
			}
			return p.change(c.Context(), find, operate.Move(to), f)
		},
	}
	f.add(c)
	p.addSelect(c, &text)
	c.Flags().StringVar(&to, "to", "", "the `QUEUE` to move to")
	c.RegisterFlagCompletionFunc("to", func(c *cobra.Command, _ []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
		return p.completeQueue(c, nil, typed)
	})
	return c
}

func (p *Program) addSelect(c *cobra.Command, text *string) {
	c.Flags().StringVar(text, "select", "", "the messages that `SELECT` means, instead of ids")
	c.RegisterFlagCompletionFunc("select", p.completeSelect)
}

// named plans for the messages of ids, or of a text: exactly one of them, so that
// nobody changes all messages by leaving something out.
func named(ids []string, text string) (planner, error) {
	switch {
	case len(ids) > 0 && text == "":
		return func(ctx context.Context, o *operate.Operator, a operate.Action) (*operate.Plan, error) {
			return o.PlanIDs(ctx, ids, a)
		}, nil
	case len(ids) == 0 && text != "":
		s, err := parse([]string{text})
		return selected(s), err
	}
	return nil, usagef("name messages by their ids, or by --select SELECT")
}

func (p *Program) edit() *cobra.Command {
	var retry, reveal bool
	c := &cobra.Command{
		Use:   "edit ID",
		Short: "Edit the arguments of a message that does not run",
		Long: `Open the arguments of a message in $VISUAL or $EDITOR, and store them if they were
changed to another JSON object. If they are no JSON object, or if the message has moved
on meanwhile, nothing is stored, and the text is kept in a file.

A mark stands for each secret. It stays as it was where the mark is left. A program that
has the task shows the fields and their types in comments, and stores what decodes
exactly.`,
		Example: "  dtask message edit 0199c3a1-7f2e-7c11-9a55-3f0e5b7a9d21 --retry",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return p.with(c.Context(), func(o *operate.Operator) error { return p.editMessage(c.Context(), o, args[0], retry, reveal) })
		},
	}
	addReveal(c, &reveal)
	c.Flags().BoolVar(&retry, "retry", false, "then make it due now, or return the dead letter to its queue")
	return c
}

func (p *Program) editMessage(ctx context.Context, o *operate.Operator, id string, retry, reveal bool) error {
	m, err := o.Message(ctx, id)
	if err != nil {
		return err
	}
	if m.State == broker.StateRunning {
		return fmt.Errorf("%.100q: %w: it is running", id, broker.ErrChanged)
	}
	mask, err := mask(ctx, o, m.Message.ID, reveal)
	if err != nil {
		return err
	}
	arguments, file, err := p.inEditor(ctx, m, o.Fields(m.Message), mask)
	if err != nil {
		return err
	}
	switch err := o.Edit(ctx, m, arguments); {
	case errors.Is(err, operate.ErrUnchanged):
		fmt.Fprintln(p.Err, "the arguments are what they were")
	case err != nil:
		return fmt.Errorf("nothing was stored: %w; your text is in %s", err, file)
	default:
		fmt.Fprintln(p.Err, "1 message edited")
	}
	removeText(file)
	if !retry {
		return nil
	}
	plan, err := o.PlanIDs(ctx, []string{id}, operate.Retry)
	if err == nil && plan.Messages == 0 {
		fmt.Fprintln(p.Err, "it was due already")
		return nil
	}
	if err == nil {
		err = p.do(ctx, plan, operate.Retry, changeFlags{})
	}
	return err
}
