// Dtask is the command of operators: it shows what waits, runs and has failed, and
// acts on it, on any broker. docs/operations.md shows it at work, dtask -h lists the
// commands.
package main

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/dtaskhq/dtask/internal/console"
	"github.com/dtaskhq/dtask/runtime/broker"
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

func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
