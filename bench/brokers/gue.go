package brokers

import (
	"context"
	"encoding/json"
	"errors"
	"path/filepath"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/vgarvardt/gue/v5"
	"github.com/vgarvardt/gue/v5/adapter/pgxv5"
)

// gueWorkers is how many workers gue has at most. Each keeps a connection and a
// transaction while it works; more are not faster.
const gueWorkers = 16

// gueSystem is gue with as many workers as it is fastest with. They poll each five
// milliseconds while there is nothing to do.
type gueSystem struct {
	db     *pgxpool.Pool
	client *gue.Client
	pool   *gue.WorkerPool
	quit   context.CancelFunc
	ended  chan error
}

func openGue(ctx context.Context, s setup) (system, error) {
	config, err := pgxpool.ParseConfig(s.place)
	if err != nil {
		return nil, err
	}
	config.MaxConns = 2 * gueWorkers
	g := &gueSystem{}
	if g.db, err = pgxpool.NewWithConfig(ctx, config); err != nil {
		return nil, err
	}
	schema, err := shipped(ctx, "github.com/vgarvardt/gue/v5", filepath.Join("migrations", "schema.sql"))
	if err != nil {
		return nil, err
	}
	if _, err := g.db.Exec(ctx, schema); err != nil {
		return nil, err
	}
	if g.client, err = gue.NewClient(pgxv5.NewConnPool(g.db)); err != nil {
		return nil, err
	}
	work := func(_ context.Context, j *gue.Job) error {
		var t task
		if err := json.Unmarshal(j.Args, &t); err != nil {
			return err
		}
		s.handle(t)
		return nil
	}
	g.pool, err = gue.NewWorkerPool(g.client, gue.WorkMap{"task": work}, min(s.concurrency, gueWorkers),
		gue.WithPoolPollInterval(5*time.Millisecond), gue.WithPoolGracefulShutdown(nil))
	return g, err
}

func (g *gueSystem) enqueue(ctx context.Context, t task) error {
	args, err := json.Marshal(t)
	if err != nil {
		return err
	}
	return g.client.Enqueue(ctx, &gue.Job{Type: "task", Args: args})
}

func (g *gueSystem) start(ctx context.Context) error {
	ctx, g.quit = context.WithCancel(context.WithoutCancel(ctx))
	g.ended = make(chan error, 1)
	go func() { g.ended <- g.pool.Run(ctx) }()
	return nil
}

func (g *gueSystem) stop(context.Context) error {
	var err error
	if g.quit != nil {
		g.quit()
		err = <-g.ended
	}
	g.db.Close()
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}
