package brokers

import (
	"context"
	"database/sql"
	"encoding/json"
	"time"

	"maragu.dev/goqite"
	"maragu.dev/goqite/jobs"
)

// goqiteSystem is goqite with its job runner, on the driver that dtask uses.
// One connection is what it is fastest with; the runner polls each millisecond.
type goqiteSystem struct {
	db     *sql.DB
	queue  *goqite.Queue
	runner *jobs.Runner
	quit   context.CancelFunc
	ended  chan struct{}
}

func openGoqite(ctx context.Context, s setup) (system, error) {
	db, err := openSQLite(s.place)
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	schema, err := shipped(ctx, "maragu.dev/goqite", "schema_sqlite.sql")
	if err != nil {
		return nil, err
	}
	if _, err := db.ExecContext(ctx, schema); err != nil {
		return nil, err
	}
	g := &goqiteSystem{db: db}
	g.queue = goqite.New(goqite.NewOpts{DB: db, Name: "bench", Timeout: time.Minute})
	g.runner = jobs.NewRunner(jobs.NewRunnerOpts{
		Limit:        s.concurrency,
		PollInterval: time.Millisecond,
		Extend:       time.Minute,
		Queue:        g.queue,
	})
	g.runner.Register("task", func(_ context.Context, body []byte) error {
		var t task
		if err := json.Unmarshal(body, &t); err != nil {
			return err
		}
		s.handle(t)
		return nil
	})
	return g, nil
}

func (g *goqiteSystem) enqueue(ctx context.Context, t task) error {
	body, err := json.Marshal(t)
	if err != nil {
		return err
	}
	_, err = jobs.Create(ctx, g.queue, "task", goqite.Message{Body: body})
	return err
}

func (g *goqiteSystem) start(ctx context.Context) error {
	ctx, g.quit = context.WithCancel(ctx)
	g.ended = make(chan struct{})
	go func() {
		defer close(g.ended)
		g.runner.Start(ctx)
	}()
	return nil
}

func (g *goqiteSystem) stop(context.Context) error {
	if g.quit != nil {
		g.quit()
		<-g.ended
	}
	return g.db.Close()
}
