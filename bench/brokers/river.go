package brokers

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"github.com/riverqueue/river/rivermigrate"
)

// riverSystem is River with the settings it is fastest with.
type riverSystem[TTx any] struct {
	client  *river.Client[TTx]
	close   func() error // the database
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

// openRiverSQLite opens River on the SQLite driver that dtask uses.
func openRiverSQLite(ctx context.Context, s setup) (system, error) {
	db, err := openSQLite(s.place)
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1) // as the driver's documentation advises
	const poll = 5 * time.Millisecond
	return openRiver[*sql.Tx](ctx, s, riversqlite.New(db), poll, db.Close)
}

// openRiverPostgreSQL opens River on PostgreSQL, which tells it of new tasks.
func openRiverPostgreSQL(ctx context.Context, s setup) (system, error) {
	config, err := pgxpool.ParseConfig(s.place)
	if err != nil {
		return nil, err
	}
	config.MaxConns = 16 // more is not faster
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	return openRiver[pgx.Tx](ctx, s, riverpgxv5.New(pool), river.FetchPollIntervalMin, func() error {
		// It keeps what was executed; the next measurement begins without.
		_, err := pool.Exec(ctx, "TRUNCATE river_job")
		pool.Close()
		return err
	})
}

func openRiver[TTx any](ctx context.Context, s setup, driver riverdriver.Driver[TTx], poll time.Duration, closeDB func() error) (system, error) {
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
		FetchPollInterval: poll,
		Logger:            quiet,
	})
	return &riverSystem[TTx]{client: client, close: closeDB}, err
}

func (r *riverSystem[TTx]) enqueue(ctx context.Context, t task) error {
	_, err := r.client.Insert(ctx, riverArgs(t), nil)
	return err
}

func (r *riverSystem[TTx]) start(ctx context.Context) error {
	r.started = true
	return r.client.Start(ctx)
}

func (r *riverSystem[TTx]) stop(ctx context.Context) error {
	var err error
	if r.started {
		err = r.client.Stop(ctx)
	}
	return errors.Join(err, r.close())
}
