package console

import (
	"github.com/spf13/cobra"

	"github.com/dtaskhq/dtask/runtime/operate"
	"github.com/dtaskhq/dtask/runtime/operate/selection"
)

func (p *Program) dead() *cobra.Command {
	dead := &cobra.Command{
		Use:     "dead",
		Short:   "List, retry, edit or delete dead letters",
		Example: "  dtask dead list\n  dtask dead retry 'error~timeout'",
	}
	dead.AddCommand(p.deadList(), p.deadGroups(), p.edit(),
		p.changeDead("retry [SELECT]", "Return dead letters to their queues",
			"Return dead letters to their queues, where they begin again with the first attempt\nand keep their failures.", operate.Retry, "  dtask dead retry 'task:mail.* error~timeout' --rate 50"),
		p.changeDead("delete [SELECT]", "Delete dead letters", "Delete dead letters.", operate.Delete, "  dtask dead delete 'age>30d' --yes"),
	)
	return dead
}

// onlyDead is what the commands of dead letters select by.
func onlyDead(args []string) (selection.Selection, error) {
	s, err := parse(args)
	if err != nil {
		return s, err
	}
	dead, err := selection.Parse("state:dead")
	return dead.And(s), err
}

func (p *Program) deadList() *cobra.Command {
	var limit int
	c := &cobra.Command{
		Use:               "list [SELECT]",
		Short:             "List dead letters with their newest failures",
		Example:           "  dtask dead list 'for<1h'",
		ValidArgsFunction: p.completeSelect,
		RunE: func(c *cobra.Command, args []string) error {
			s, err := onlyDead(args)
			if err != nil {
				return err
			}
			return p.with(c.Context(), func(o *operate.Operator) error { return p.list(c.Context(), o, s, limit) })
		},
	}
	addLimit(c, &limit)
	return c
}

func (p *Program) changeDead(use, short, long string, a operate.Action, example string) *cobra.Command {
	var f changeFlags
	c := &cobra.Command{
		Use:               use,
		Short:             short,
		Long:              long + " Without a SELECT all are meant.\n\n" + aboutChanges,
		Example:           example,
		ValidArgsFunction: p.completeSelect,
		RunE: func(c *cobra.Command, args []string) error {
			s, err := onlyDead(args)
			if err != nil {
				return err
			}
			return p.change(c.Context(), selected(s), a, f)
		},
	}
	f.add(c)
	return c
}
