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
	"syscall"
	"time"

	"github.com/dtaskhq/dtask/runtime/dtask"
	_ "github.com/dtaskhq/dtask/runtime/rabbitmq" // amqp:// and amqps://
	_ "github.com/dtaskhq/dtask/runtime/sqlite"   // sqlite:

	"github.com/dtaskhq/dtask/example/web/lab"
	"github.com/dtaskhq/dtask/example/web/mail"
	"github.com/dtaskhq/dtask/example/web/pictures"
	"github.com/dtaskhq/dtask/example/web/report"
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
	case "worker":
		return together(ctx, worker(client, g, mailer, slog.Default()))
	case "child":
		return together(untilParentEnds(ctx), worker(client, g, mailer, slog.Default()))
	}
	serve, err := listen(o.addr, g, client)
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

// worker returns the part that runs the tasks. A thumbnail keeps a processor
// busy, so no more of them run at once than there are processors.
func worker(client *dtask.Client, g *gallery, mailer *mail.Mailer, log *slog.Logger) part {
	return func(ctx context.Context) error {
		w, err := dtask.NewWorker(client, dtask.WorkerConfig{
			Concurrency: runtime.NumCPU(),
			Middleware:  []dtask.Middleware{g.outcomes().Middleware(log)},
			Logger:      log,
		}, pictures.Tasks(), report.Tasks(&report.Writer{Outcomes: g.outcomes()}), mail.Tasks(mailer),
			lab.Tasks(&lab.Lab{Outcomes: g.outcomes()}))
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
