// Dtask is the command of operators: it shows what waits, runs and has failed, and
// acts on it, on any broker. docs/operations.md shows it at work, dtask -h lists the
// commands.
package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/dtaskhq/dtask/internal/console"
	"github.com/dtaskhq/dtask/internal/top"
	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/dashboard"
	"github.com/dtaskhq/dtask/runtime/dtask"
	"github.com/dtaskhq/dtask/runtime/operate"
	_ "github.com/dtaskhq/dtask/runtime/postgres"
	_ "github.com/dtaskhq/dtask/runtime/rabbitmq"
	"github.com/dtaskhq/dtask/runtime/sqlite"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	p := &console.Program{
		Name:   "dtask",
		Getenv: os.Getenv,
		In:     os.Stdin,
		Out:    os.Stdout,
		Err:    os.Stderr,
		Ask:    isTerminal(os.Stdin),
		Open:   open,
		Top: func(ctx context.Context, o *operate.Operator, in io.Reader, out io.Writer) error {
			return top.Run(ctx, o, in, out, os.Environ())
		},
		UI: serve,
	}
	code := p.Run(ctx, os.Args[1:])
	stop()
	os.Exit(code)
}

// open opens a broker, but makes no file where somebody has misspelt the name of one.
func open(ctx context.Context, url string) (broker.Broker, error) {
	if err := sqlite.Exists(url); err != nil {
		return nil, err
	}
	return broker.Open(ctx, url, broker.Config{Logger: slog.New(slog.DiscardHandler)})
}

// serve serves the dashboard of the broker at a URL.
func serve(ctx context.Context, url, addr, token string, out io.Writer) error {
	if err := sqlite.Exists(url); err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	server, err := dashboard.Listen(addr, dashboard.Config{Token: token, Logger: log}, log)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "http://%s/\n", server.Addr())
	return server.Serve(ctx, func(ctx context.Context) (*dtask.Client, error) {
		return dtask.Open(ctx, url, dtask.WithLogger(slog.New(slog.DiscardHandler)))
	})
}

func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
