package worker

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/dtaskhq/dtask/internal/console"
	text "github.com/dtaskhq/dtask/internal/printable"
	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/operate"
)

// operators runs a command of operators, which the command dtask has too. Here they
// know the types of the tasks. It returns the exit code.
func (p *program) operators(args []string) int {
	if text.MaySecret(args[0]) {
		return p.fail(usagef("unknown command %s; the URL of the broker goes behind -url, or better into DTASK_URL", quoted(args[0])))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	c := &console.Program{
		Name: p.name,
		URL:  p.config.url,
		In:   p.stdin,
		Out:  p.stdout,
		Err:  p.status,
		Ask:  isTerminal(p.stdin),

		Getenv: p.getenv,
		Outbox: p.additions.Outbox,
		Own:    operate.Own(p.boundTasks(), p.additions.EnqueueMiddleware...),
		Open: func(ctx context.Context, url string) (broker.Broker, error) {
			return broker.Open(ctx, url, broker.Config{Logger: slog.New(slog.DiscardHandler)})
		},
	}
	return c.Run(ctx, args)
}
