package brokers

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"github.com/riverqueue/river/rivermigrate"
)

// riverSystem is River on SQLite, on the driver that dtask uses, with the
// shortest intervals it allows.
type riverSystem struct {
	db      *sql.DB
	client  *river.Client[*sql.Tx]
	started bool
}

// riverArgs is the task as River wants it.
type riverArgs task

// Kind implements river.JobArgs.
func (riverArgs) Kind() string { return "bench" }

type riverWorker struct {
	river.WorkerDefaults[riverArgs]
	handle func(task)
}

// Work implements river.Worker.
func (w *riverWorker) Work(_ context.Context, job *river.Job[riverArgs]) error {
	w.handle(task(job.Args))
	return nil
}

func openRiver(ctx context.Context, s setup) (system, error) {
	db, err := openSQLite(s.place)
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1) // as the driver's documentation advises
	driver := riversqlite.New(db)
	quiet := slog.New(slog.DiscardHandler)
	migrator, err := rivermigrate.New(driver, &rivermigrate.Config{Logger: quiet})
	if err != nil {
		return nil, err
	}
	if _, err := migrator.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return nil, err
	}
	workers := river.NewWorkers()
	river.AddWorker(workers, &riverWorker{handle: s.handle})
	client, err := river.NewClient(driver, &river.Config{
		Queues:            map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: s.concurrency}},
		Workers:           workers,
		FetchCooldown:     river.FetchCooldownMin,
		FetchPollInterval: 5 * time.Millisecond,
		Logger:            quiet,
	})
	return &riverSystem{db: db, client: client}, err
}

func (r *riverSystem) enqueue(ctx context.Context, t task) error {
	_, err := r.client.Insert(ctx, riverArgs(t), nil)
	return err
}

func (r *riverSystem) start(ctx context.Context) error {
	r.started = true
	return r.client.Start(ctx)
}

func (r *riverSystem) stop(ctx context.Context) error {
	var err error
	if r.started {
		err = r.client.Stop(ctx)
	}
	return errors.Join(err, r.db.Close())
}
