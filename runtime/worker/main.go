package worker

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/dtask"
)

// The exit codes of a worker.
const (
	exitOK     = 0 // stopped in good order, or drained
	exitFailed = 1
	exitUsage  = 2
	exitDead   = 3 // drained, and something was moved to the dead letters
	exitLeft   = 4 // drained or stopped, and something is left, or not recorded
)

// A leftError says what a drain or a stop in good order has left undone.
type leftError struct{ error }

// Main runs the program that the command line asks for, and exits. Without a
// command that is a worker, which runs until it is told to stop. Call it from func
// main, and do nothing else there.
//
// Main sets the default logger of package slog to the logger of the worker, and the
// default client of package dtask to its client.
func Main(tables ...dtask.Table) { Program{}.Main(tables...) }

// Run is [Main] for a program with commands of its own. Pass the arguments that are
// for the worker. It returns the exit code.
func Run(args []string, tables ...dtask.Table) int { return Program{}.Run(args, tables...) }

// A Program is a worker program with middleware. The zero value is the program of
// [Main]:
//
//	worker.Program{Middleware: []dtask.Middleware{tracing}}.Main(mail.Tasks(mailer))
type Program struct {
	// Middleware wraps the handling of every message.
	Middleware []dtask.Middleware

	// EnqueueMiddleware wraps what the process enqueues: tasks that its tasks
	// delay, and periodic ones.
	EnqueueMiddleware []dtask.EnqueueMiddleware

	// Outbox lets tasks enqueue in transactions of your database, and every process of
	// the program relays what these, and other programs, have committed. See package
	// outbox.
	Outbox broker.Outbox
}

// Main is the function [Main] with the middleware.
func (a Program) Main(tables ...dtask.Table) { os.Exit(a.Run(os.Args[1:], tables...)) }

// Run is the function [Run] with the middleware.
func (a Program) Run(args []string, tables ...dtask.Table) int {
	p := &program{
		name:      filepath.Base(os.Args[0]),
		getenv:    os.Getenv,
		stdin:     os.Stdin,
		stdout:    os.Stdout,
		stderr:    os.Stderr,
		tables:    tables,
		additions: a,
	}
	return p.run(args)
}

// A program is a worker program with its environment, input and output.
type program struct {
	name           string
	getenv         func(string) string
	stdin          io.Reader
	stdout, stderr io.Writer
	tables         []dtask.Table
	additions      Program

	config    *config
	status    *statusLine // what the process itself writes to stderr goes through it
	log       *slog.Logger
	schedules []schedule
	extended  extended
	group     *group // nil without a supervisor
}

// run runs the program and returns its exit code.
func (p *program) run(args []string) int {
	p.status = &statusLine{out: p.stderr}
	var err error
	p.config, err = parseConfig(p.name, args, p.getenv)
	if errors.Is(err, flag.ErrHelp) {
		help(p.stdout, p.name)
		return exitOK
	} else if err != nil {
		return p.fail(err)
	}
	if p.config.version {
		fmt.Fprintln(p.stdout, version(p.name))
		return exitOK
	}
	p.log = newLog(p.config, p.status)
	if command := p.config.command; len(command) > 0 {
		if command[0] == "run" || command[0] == "preflight" {
			return p.fail(p.command(command))
		}
		return p.operators(command)
	}

	if p.config.url == "" {
		return p.fail(usagef("no broker; set -url or DTASK_URL, as sqlite:tasks.db or amqp://localhost"))
	}
	if err := p.checkTables(); err != nil {
		return p.fail(err)
	}
	if err := p.extend(); err != nil {
		return p.fail(usageError{err})
	}
	defer func() { p.extended.close(p.log) }()
	slog.SetDefault(p.log)
	switch {
	case p.getenv(childEnv) != "":
		return p.fail(p.child())
	case p.config.processes > 0:
		return p.fail(p.supervise())
	case p.config.drain:
		dead, err := p.drain()
		if err == nil && dead > 0 {
			return exitDead
		}
		return p.fail(err)
	}
	return p.fail(p.serve())
}

// fail prints an error, if there is one, and returns the exit code for it.
func (p *program) fail(err error) int {
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, new(usageError)):
		fmt.Fprintf(p.status, "%s: %v (-h explains the use)\n", p.name, shown(err))
		return exitUsage
	case errors.As(err, new(unaskedError)):
		fmt.Fprintf(p.status, "%s: preflight: %v\n", p.name, shown(err))
		return exitUsage
	case errors.As(err, new(leftError)):
		fmt.Fprintf(p.status, "%s: %v\n", p.name, shown(err))
		return exitLeft
	}
	text := shown(err)
	if p.config != nil && len(p.config.command) > 0 {
		text = escaped(err.Error(), "\n\t") // of the user's own task
	}
	fmt.Fprintf(p.status, "%s: %s\n", p.name, text)
	return exitFailed
}

// command runs a command that operators have in worker programs only.
func (p *program) command(args []string) error {
	if args[0] == "run" {
		if len(args) < 2 || len(args) > 3 {
			return usagef("run takes a task and its arguments: run TASK JSON")
		}
		return p.runTask(args[1], append(args[2:], "{}")[0])
	}
	return p.preflight(args[1:])
}

// openTimeout is how long the broker may take to answer.
const openTimeout = 15 * time.Second

// open opens the broker and makes its client the default. After an error, silent
// reports that the broker did not answer; otherwise it refused.
func (p *program) open(ctx context.Context) (client *dtask.Client, silent bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	client, err = dtask.Open(ctx, p.config.url, dtask.WithLogger(p.log), dtask.WithOutbox(p.additions.Outbox))
	if err != nil {
		return nil, ctx.Err() != nil, err
	}
	client = p.extended.opened(client)
	if len(p.additions.EnqueueMiddleware) > 0 {
		client = client.With(p.additions.EnqueueMiddleware...)
	}
	dtask.SetDefault(client)
	return client, false, nil
}
