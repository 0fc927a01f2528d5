package brokers

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/mikestefanello/backlite"
)

// backliteSystem is backlite on the driver that dtask uses.
type backliteSystem struct {
	db      *sql.DB
	client  *backlite.Client
	started bool
}

// backliteTask is the task as backlite wants it.
type backliteTask task

// Config implements backlite.Task.
func (backliteTask) Config() backlite.QueueConfig {
	return backlite.QueueConfig{Name: "bench", MaxAttempts: 4, Timeout: time.Minute, Backoff: 2 * time.Second}
}

func openBacklite(_ context.Context, s setup) (system, error) {
	db, err := openSQLite(s.place)
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	client, err := backlite.NewClient(backlite.ClientConfig{DB: db, NumWorkers: s.concurrency, ReleaseAfter: 10 * time.Minute})
	if err != nil {
		return nil, err
	}
	client.Register(backlite.NewQueue(func(_ context.Context, t backliteTask) error {
		s.handle(task(t))
		return nil
	}))
	return &backliteSystem{db: db, client: client}, client.Install()
}

func (b *backliteSystem) enqueue(ctx context.Context, t task) error {
	_, err := b.client.Add(backliteTask(t)).Ctx(ctx).Save()
	return err
}

func (b *backliteSystem) start(ctx context.Context) error {
	b.started = true
	b.client.Start(ctx)
	return nil
}

func (b *backliteSystem) stop(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	var err error
	if b.started && !b.client.Stop(ctx) {
		err = errors.New("backlite did not stop")
	}
	return errors.Join(err, b.db.Close())
}
