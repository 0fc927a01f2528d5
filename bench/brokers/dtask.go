package brokers

import (
	"context"
	"log/slog"
	"time"

	"github.com/dtaskhq/dtask/runtime/dtask"
	_ "github.com/dtaskhq/dtask/runtime/postgres" // postgres:
	_ "github.com/dtaskhq/dtask/runtime/rabbitmq" // amqp:
	_ "github.com/dtaskhq/dtask/runtime/sqlite"   // sqlite:
)

// dtaskTask is the definition of the task, as dtaskgen writes it.
var dtaskTask = dtask.Define[task, dtask.None]("bench.Task", dtask.Spec{
	Queue:   "bench",
	Retries: 3,
	Backoff: 2 * time.Second,
	Schema:  "0123456789abcdef",
})

// dtaskSystem is dtask itself.
type dtaskSystem struct {
	client *dtask.Client
	worker *dtask.Worker
	quit   context.CancelFunc
	ended  chan error
}

func openDtask(ctx context.Context, s setup) (system, error) {
	client, err := dtask.Open(ctx, s.place)
	if err != nil {
		return nil, err
	}
	return newDtask(client, s)
}

func newDtask(client *dtask.Client, s setup, middleware ...dtask.Middleware) (system, error) {
	table := dtask.Table{dtaskTask.Bind(func(_ context.Context, t task) (dtask.None, error) {
		s.handle(t)
		return dtask.None{}, nil
	})}
	worker, err := dtask.NewWorker(client, dtask.WorkerConfig{
		Concurrency: s.concurrency,
		Logger:      slog.New(slog.DiscardHandler),
		Middleware:  middleware,
	}, table)
	if err != nil {
		return nil, err
	}
	return &dtaskSystem{client: client, worker: worker}, nil
}

func (d *dtaskSystem) enqueue(ctx context.Context, t task) error {
	_, err := dtaskTask.Delay(dtask.NewContext(ctx, d.client), t)
	return err
}

func (d *dtaskSystem) start(ctx context.Context) error {
	ctx, d.quit = context.WithCancel(ctx)
	d.ended = make(chan error, 1)
	go func() { d.ended <- d.worker.Run(ctx) }()
	select {
	case <-d.worker.Ready():
		return nil
	case err := <-d.ended:
		return err
	}
}

func (d *dtaskSystem) stop(context.Context) error {
	if d.quit != nil {
		d.quit()
		if err := <-d.ended; err != nil {
			return err
		}
	}
	return d.client.Close()
}
