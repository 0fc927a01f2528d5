package console

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/operate"
)

// enqueueFlags are the flags of what enqueues.
type enqueueFlags struct {
	arguments string
	schema    string
	queue     string
	in        time.Duration
}

func (f *enqueueFlags) add(p *Program, c *cobra.Command) {
	c.Flags().StringVar(&f.arguments, "args", "", "all arguments as a `JSON` object, @FILE, or - for standard input")
	c.Flags().StringVar(&f.queue, "queue", "", "the `QUEUE` (default: that of the task)")
	c.Flags().DurationVar(&f.in, "in", 0, "not before `DURATION` has passed, as 10m")
	c.RegisterFlagCompletionFunc("queue", func(c *cobra.Command, _ []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
		return p.completeQueue(c, nil, typed)
	})
}

// enqueue enqueues a task. In a worker program each of its tasks is a command of its
// own, with a flag for each argument.
func (p *Program) enqueue() *cobra.Command {
	if p.Own != nil {
		return p.enqueueOwn()
	}
	var f enqueueFlags
	c := &cobra.Command{
		Use:   "enqueue TASK [--args JSON|@FILE|-]",
		Short: "Enqueue a task that a living worker has",
		Long: `Enqueue a task that a living worker has. The message gets the fingerprint of the
arguments that this worker announces, so that it is judged as one of its build: arguments
that do not fit become a dead letter. Worker programs have the same command; they know
the types, and refuse what does not fit.`,
		Example: `  dtask enqueue mail.Send --args '{"to":"a@b.org"}'` + "\n  dtask enqueue mail.Send --args @args.json --in 10m",
		Args:    cobra.ExactArgs(1),

		ValidArgsFunction: p.completeTask,
		RunE: func(c *cobra.Command, args []string) error {
			arguments, err := p.readArguments(f.arguments)
			if err != nil {
				return err
			}
			return p.order(c, f, args[0], arguments)
		},
	}
	f.add(p, c)
	c.Flags().StringVar(&f.schema, "schema", "", "the `FINGERPRINT` of the arguments, if workers have several")
	return c
}

func (p *Program) enqueueOwn() *cobra.Command {
	c := &cobra.Command{
		Use:     "enqueue TASK",
		Short:   "Enqueue a task of this program",
		Long:    "Enqueue a task of this program. Its arguments are flags, which its help explains;\nor all of them are JSON behind --args. What does not fit its types is refused.",
		Example: "  dtask enqueue",
	}
	short := shortNames(p.Own)
	for _, t := range p.Own {
		sub := p.enqueueTask(t, short[t.Name])
		c.AddCommand(sub)
		c.Example = sub.Example
	}
	return c
}

func (p *Program) enqueueTask(t operate.Task, name string) *cobra.Command {
	var f enqueueFlags
	var given *argumentFlags
	c := &cobra.Command{
		Use:     name,
		Aliases: []string{t.Name},
		Short:   "Enqueue " + t.Name,
		Long:    "Enqueue " + t.Name + ".",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			arguments, err := p.readArguments(f.arguments)
			if given != nil && err == nil {
				arguments, err = given.json(c.Flags(), arguments)
			}
			if err != nil {
				return err
			}
			return p.order(c, f, t.Name, arguments)
		},
	}
	f.add(p, c)
	if s, err := t.Fields(); err == nil {
		given = newArgumentFlags(c.Flags(), s)
		if lines := s.Lines(); len(lines) > 0 {
			c.Long += " Its arguments:\n\n  " + strings.Join(lines, "\n  ")
		}
		if len(t.Secrets) > 0 {
			c.Long += "\n\nWhat is on a command line others can see: give secrets by --args @FILE, or by --args -."
		}
	}
	c.Example = "  dtask enqueue " + name + given.example()
	return c
}

// readArguments returns the JSON that a flag names, or an empty object.
func (p *Program) readArguments(text string) ([]byte, error) {
	file, isFile := strings.CutPrefix(text, "@")
	switch {
	case text == "":
		return []byte("{}"), nil
	case text == "-":
		return io.ReadAll(p.In)
	case isFile:
		return os.ReadFile(file)
	}
	return []byte(text), nil
}

func (p *Program) order(c *cobra.Command, f enqueueFlags, task string, arguments []byte) error {
	if f.queue != "" {
		if err := broker.ValidateQueue(f.queue); err != nil {
			return usagef("--queue: %w", err)
		}
	}
	if f.in < 0 {
		return usagef("--in %v: use a positive duration", f.in)
	}
	return p.with(c.Context(), func(o *operate.Operator) error {
		id, err := o.Enqueue(c.Context(), operate.Order{Task: task, Schema: f.schema, Arguments: arguments, Queue: f.queue, In: f.in})
		if err != nil {
			return err
		}
		if p.format == "table" {
			_, err = fmt.Fprintln(p.Out, id)
			return err
		}
		return writeAll(p, []string{id}, nil, []column[string]{{key: "id", value: func(id string) string { return id }}},
			func(id string) any { return map[string]string{"id": id} })
	})
}
