package console

import (
	"bufio"
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/dtaskhq/dtask/internal/printable"
	"github.com/dtaskhq/dtask/runtime/operate"
	"github.com/dtaskhq/dtask/runtime/operate/selection"
)

const aboutChanges = `It prints how many there are first, and asks. It changes only these, and only as they
were then: what another operator was faster with is skipped. When it is interrupted it
says how far it came, and the same command goes on with what is left.`

// changeFlags are the flags of what changes many messages.
type changeFlags struct {
	yes  bool
	rate float64
}

func (f *changeFlags) add(c *cobra.Command) {
	c.Flags().BoolVar(&f.yes, "yes", false, "do not ask")
	c.Flags().Float64Var(&f.rate, "rate", 0, "change `N` messages a second at most (default: no bound)")
}

// A planner finds what is to be changed.
type planner func(context.Context, *operate.Operator, operate.Action) (*operate.Plan, error)

// selected plans for the messages of a selection.
func selected(s selection.Selection) planner {
	return func(ctx context.Context, o *operate.Operator, a operate.Action) (*operate.Plan, error) {
		return o.Plan(ctx, s, a)
	}
}

// change counts what an action would change, asks, and does it.
func (p *Program) change(ctx context.Context, find planner, a operate.Action, f changeFlags) error {
	if f.rate < 0 {
		return usagef("rate %v: use a positive number of messages a second", f.rate)
	}
	return p.with(ctx, func(o *operate.Operator) error {
		plan, err := find(ctx, o, a)
		if err != nil {
			return err
		}
		if plan.Messages == 0 {
			return fmt.Errorf("%w, of those that can be %s", errNothing, a.Done)
		}
		for _, k := range plan.Kinds {
			fmt.Fprintf(p.Err, "%7d %s of %s on %s\n", k.Messages, k.State, cell(shortTask(k.Task)), cell(k.Queue))
		}
		text := fmt.Sprintf("%s to be %s", messages(plan.Messages, " is", " are"), a.Done)
		if plan.More {
			text += ", the first of more that are selected"
		}
		if err := p.confirm(plan.Messages, text, f.yes); err != nil {
			return err
		}
		return p.do(ctx, plan, a, f)
	})
}

func (p *Program) do(ctx context.Context, plan *operate.Plan, a operate.Action, f changeFlags) error {
	said := 0
	done, err := plan.Do(ctx, operate.Pace{Rate: f.rate, Progress: func(looked int) {
		if tenth := looked * 10 / plan.Messages; tenth > said && tenth < 10 {
			said = tenth
			fmt.Fprintf(p.Err, "%d of %d\n", looked, plan.Messages)
		}
	}})
	text := messages(done.Changed, "", "") + " " + a.Done
	if done.Skipped > 0 {
		text += fmt.Sprintf(", %d skipped, for they had moved on", done.Skipped)
	}
	if err != nil {
		return fmt.Errorf("%s, %d are left: %w; the same command goes on with them", text, done.Left, err)
	}
	fmt.Fprintln(p.Err, text)
	return nil
}

// messages counts messages, and adds the verb that the number asks for.
func messages(n int, one, more string) string {
	if n == 1 {
		return "1 message" + one
	}
	return strconv.Itoa(n) + " messages" + more
}

// confirm asks whether so many messages are to be changed.
func (p *Program) confirm(n int, text string, yes bool) error {
	text = printable.Text(text, "")
	if yes {
		fmt.Fprintf(p.Err, "%s\n", text)
		return nil
	}
	if !p.Ask {
		return usagef("%s; add --yes to do it", text)
	}
	fmt.Fprintf(p.Err, "%s. Type %d to do it: ", text, n)
	line, _ := bufio.NewReader(p.In).ReadString('\n')
	if strings.TrimSpace(line) != strconv.Itoa(n) {
		return usagef("not confirmed, nothing was changed")
	}
	return nil
}
