// Package console is the command line of operators, over package operate. It links no
// broker: a program that has one, or several, calls Main.
//
// console.go has the program and its exit codes, session.go opens the broker,
// queues.go, workers.go, steer.go, schedules.go, pause.go, tasks.go, enqueue.go, schema.go,
// journal.go, messages.go, message.go, cancel.go, dead.go and migrate.go are the commands,
// change.go is what comes before and after a change, and output.go, record.go, tally.go,
// show.go and cut.go print.
package console

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/dtaskhq/dtask/internal/printable"
	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/operate"
	"github.com/dtaskhq/dtask/runtime/operate/selection"
)

// The exit codes.
const (
	exitOK          = 0
	exitFailed      = 1 // the broker cannot be reached, say; or a change ended early
	exitUsage       = 2 // wrong use, or a change that was not confirmed: nothing was changed
	exitNothing     = 3 // no such message, worker, task or schedule, or none is selected
	exitInterrupted = 4 // by a signal; the same command goes on with what is left
	exitUnsupported = 5 // the broker lacks the capability, and the error says why
	exitSick        = 6 // doctor has found a problem
)

// A Program is the command with its surroundings.
type Program struct {
	Name     string
	URL      string // of the broker, unless the command says otherwise
	Getenv   func(string) string
	In       io.Reader
	Out, Err io.Writer

	// Own are the tasks of the program, whose types the commands then know.
	Own []operate.Task

	// Outbox is that of the program, or nil.
	Outbox broker.Outbox

	// Ask reports whether In is somebody at a terminal, who can be asked.
	Ask bool

	// Open opens the broker that a URL names.
	Open func(ctx context.Context, url string) (broker.Broker, error)

	// Top shows the terminal page. It is nil where that is not linked.
	Top func(ctx context.Context, o *operate.Operator, in io.Reader, out io.Writer) error

	// UI serves the pages of operators on an address, for whoever knows the token; for
	// reading only if it is empty. It is nil where that is not linked.
	UI func(ctx context.Context, url, addr, token string, out io.Writer) error

	url    string // flag
	format string // flag
}

// errNothing: no message is selected.
var errNothing = errors.New("no message is selected")

// A usageError is a mistake on the command line.
type usageError struct{ error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// Run runs the command that the arguments ask for, until ctx ends, and returns the
// exit code.
func (p *Program) Run(ctx context.Context, args []string) int {
	root := p.root()
	root.SetArgs(withTwoDashes(args))
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	fmt.Fprintf(p.Err, "%s: %s\n", p.Name, printable.Cut(printable.Masked(printable.Text(err.Error(), "")), maxError))
	var usage usageError
	switch {
	case errors.As(err, &usage), errors.Is(err, operate.ErrArguments), errors.Is(err, operate.ErrState), errors.As(err, new(*selection.FieldError)):
		return exitUsage
	case errors.Is(err, broker.ErrUnsupported):
		return exitUnsupported
	case errors.Is(err, errNothing), errors.Is(err, broker.ErrNoMessage), errors.Is(err, operate.ErrNoWorker),
		errors.Is(err, operate.ErrNoSchedule), errors.Is(err, operate.ErrNoTask):
		return exitNothing
	case errors.Is(err, errSick):
		return exitSick
	case ctx.Err() != nil:
		return exitInterrupted
	}
	return exitFailed
}

// maxError is how many characters of an error are printed.
const maxError = 1000

// withTwoDashes lets -url be --url, as workers have it.
func withTwoDashes(args []string) []string {
	args = append([]string(nil), args...)
	for i, a := range args {
		if a == "--" {
			break
		}
		if a == "-url" || strings.HasPrefix(a, "-url=") {
			args[i] = "-" + a
		}
	}
	return args
}

const long = `See what waits, runs and has failed, and act on it, on any broker.

The broker is the one that --url or DTASK_URL names: sqlite:FILE, postgres://HOST/DATABASE,
amqp://HOST/VHOST.
A SELECT is as in: task:mail.* state:dead args.user.id:7 error~"timeout" age>1h
(%[1]s help select explains it).

What changes messages prints how many first, and asks: type the number, or give --yes.

Exit codes: 0 done; 1 failed; 2 wrong use, or not confirmed; 3 no such message, worker,
task or schedule; 4 interrupted; 5 the broker cannot do that; 6 doctor has found a problem.`

func (p *Program) root() *cobra.Command {
	root := &cobra.Command{
		Use:           p.Name,
		Short:         "See and steer the background tasks of dtask",
		Long:          fmt.Sprintf(long, p.Name),
		Example:       "  dtask queues --url sqlite:tasks.db\n  DTASK_URL=amqp://localhost dtask dead list",
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetIn(p.In)
	root.SetOut(p.Out)
	root.SetErr(p.Err)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.PersistentFlags().StringVar(&p.url, "url", "", "`URL` of the broker (default: DTASK_URL)")
	root.PersistentFlags().StringVarP(&p.format, "output", "o", "table", "print as `table|json|jsonl|csv`")
	root.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(formats, cobra.ShellCompDirectiveNoFileComp))
	root.AddCommand(p.queues(), p.queue(), p.orphans(), p.doctor(), p.workers(), p.tasks(), p.task(), p.enqueue(), p.schedules(), p.pauses(), p.journal(), p.messages(), p.counts(), p.message(), p.dead(), p.migrate(), selectHelp())
	if p.Own != nil {
		root.AddCommand(p.schema())
	}
	if p.Top != nil {
		root.AddCommand(p.top())
	}
	if p.UI != nil {
		root.AddCommand(p.ui())
	}
	checkUse(root)
	p.nameExamples(root)
	return root
}

// nameExamples gives the examples of all commands the name of the program.
func (p *Program) nameExamples(c *cobra.Command) {
	c.Example = strings.ReplaceAll(c.Example, "dtask ", p.Name+" ")
	for _, sub := range c.Commands() {
		p.nameExamples(sub)
	}
}

// checkUse makes mistakes on the command line errors of use, in all commands.
func checkUse(c *cobra.Command) {
	if args := c.Args; args != nil {
		c.Args = func(c *cobra.Command, given []string) error {
			if err := args(c, given); err != nil {
				return usagef("%s: %w; the use is: %s", c.CommandPath(), err, c.UseLine())
			}
			return nil
		}
	} else if c.HasSubCommands() {
		c.Args = func(c *cobra.Command, given []string) error {
			if len(given) == 0 {
				return nil
			}
			if near := c.SuggestionsFor(given[0]); len(near) > 0 {
				return usagef("%s has no command %.60q; did you mean %s?", c.CommandPath(), given[0], near[0])
			}
			help := c.CommandPath() + " -h"
			if !c.HasParent() {
				help = c.Name() + " help" // -h of a worker program explains the worker
			}
			return usagef("%s has no command %.60q; %s lists them", c.CommandPath(), given[0], help)
		}
		c.RunE = func(c *cobra.Command, _ []string) error { return c.Help() }
		c.SuggestionsMinimumDistance = 2
	}
	for _, sub := range c.Commands() {
		checkUse(sub)
	}
}

func selectHelp() *cobra.Command {
	return &cobra.Command{
		Use:   "select",
		Short: "How to say which messages are meant",
		Long: `Terms are separated by spaces, and all of them must be true:

  task:mail.* state:dead args.user.id:7 error~"timeout" age>1h

  id:ID                the message with the id
  task:NAME            the name of the task, in full or from any slash of it on
  queue:NAME
  schema:FINGERPRINT   of the arguments
  state:STATE          ready, delayed, running or dead
  error~TEXT           the newest failure has the text, in whatever case
  kind:KIND            its kind: error, panic, timeout, expired, crash …
  attempt>N
  age>1h               enqueued more than an hour ago
  for<10m              dead, or ready, for less than ten minutes; or delayed by less
  args.user.id:7       an argument, a field of one, args.ids.0 an element of a list

: means equal, where an asterisk stands for any text and commas separate several
values; ~ has in it; > and < compare. A minus before a term turns it round. Put a value
with spaces into double quotes, and the whole into single ones for the shell.`,
		Example: `  dtask messages 'state:dead for<1h -kind:timeout'
  dtask messages 'args.user.id:7,8 queue:mail*'`,
	}
}
