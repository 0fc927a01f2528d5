// Package web is a small web application that moves its heavy work out of the
// request: pictures are uploaded, and tasks render their thumbnails; a report is
// asked for, and tasks write it and mail it. Two more tasks go wrong on purpose.
//
// The tasks are functions with a directive: Thumbnail in package pictures, Write
// in package report, the method Send of the Mailer in package mail, and those of
// package lab.
package web

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"syscall"
	"time"

	"github.com/dtaskhq/dtask/runtime/dtask"
	_ "github.com/dtaskhq/dtask/runtime/rabbitmq" // amqp:// and amqps://
	_ "github.com/dtaskhq/dtask/runtime/sqlite"   // sqlite:
	process "github.com/dtaskhq/dtask/runtime/worker"

	"github.com/dtaskhq/dtask/example/web/mail"
)

// Main runs the command that the command line names.
func Main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "example:", err)
		os.Exit(1)
	}
}

// run does what the command line says.
func run(ctx context.Context, args []string) error {
	o, err := parseOptions(args)
	if errors.Is(err, flag.ErrHelp) {
		return nil
	}
	if err != nil {
		return err
	}
	g, err := openGallery(o.data)
	if err != nil {
		return err
	}
	mailer, err := mail.FromEnvironment(g.mail())
	if err != nil {
		return err
	}
	broker := cmp.Or(os.Getenv("DTASK_URL"), g.defaultBroker())
	client, err := openClient(ctx, broker)
	if err != nil {
		return err
	}
	defer client.Close()
	dtask.SetDefault(client)
	if o.command != "child" {
		fmt.Println("broker ", redacted(broker))
		fmt.Println("data   ", g.dir)
		fmt.Println("mail   ", mailer)
	}

	switch o.command {
	case "once":
		if o.noWorker {
			return together(ctx, once(o, g))
		}
		return together(ctx, once(o, g), worker(client, g, mailer, slog.New(slog.DiscardHandler)))
	case "child":
		stopWithParent()
		fallthrough
	case "worker":
		return work(broker, g, mailer)
	}
	serve, err := listen(o.addr, g, client, mailer)
	if err != nil {
		return err
	}
	if o.command == "page" {
		return together(ctx, serve)
	}
	return together(ctx, serve, workerProcess(o.data))
}

// openClient connects to the broker.
func openClient(ctx context.Context, broker string) (*dtask.Client, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	return dtask.Open(ctx, broker)
}

// redacted returns a URL without its password.
func redacted(broker string) string {
	u, err := url.Parse(broker)
	if err != nil {
		return "(its URL cannot be shown)"
	}
	return u.Redacted()
}

// A part of the process runs until its context ends. If it returns before, the
// whole process ends.
type part func(context.Context) error

// work runs the tasks until a signal stops it. A thumbnail keeps a processor busy, so no
// more of them run at once than there are processors.
func work(broker string, g *gallery, mailer *mail.Mailer) error {
	p := process.Program{Middleware: []dtask.Middleware{g.outcomes().Middleware(slog.Default())}}
	args := []string{"-url", broker, "-concurrency", strconv.Itoa(runtime.NumCPU()), "-keep-logs"}
	if code := p.Run(args, tables(g, mailer)...); code != 0 {
		return fmt.Errorf("the worker has ended with exit code %d", code)
	}
	return nil
}

// worker returns the part that runs the tasks in this process, for one that has something
// else to do.
func worker(client *dtask.Client, g *gallery, mailer *mail.Mailer, log *slog.Logger) part {
	return func(ctx context.Context) error {
		w, err := dtask.NewWorker(client, dtask.WorkerConfig{
			Concurrency: runtime.NumCPU(),
			Middleware:  []dtask.Middleware{g.outcomes().Middleware(log)},
			Logger:      log,
		}, tables(g, mailer)...)
		if err != nil {
			return err
		}
		return w.Run(ctx)
	}
}

// together runs parts until ctx ends or one of them returns, has the others
// stop, and returns the first error.
func together(ctx context.Context, parts ...part) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	errs := make(chan error)
	for _, p := range parts {
		go func() { errs <- p(ctx) }()
	}
	var first error
	for range parts {
		first = cmp.Or(first, <-errs)
		cancel()
	}
	return first
}
