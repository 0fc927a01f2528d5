// Package river is the task of docs/coming-from.md in River.
package river

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
)

type WelcomeArgs struct {
	To string `json:"to"`
}

func (WelcomeArgs) Kind() string { return "welcome" }

type WelcomeWorker struct {
	river.WorkerDefaults[WelcomeArgs]
}

func (*WelcomeWorker) Work(ctx context.Context, job *river.Job[WelcomeArgs]) error {
	fmt.Println("welcome,", job.Args.To)
	return nil
}

func (*WelcomeWorker) Timeout(*river.Job[WelcomeArgs]) time.Duration { return 30 * time.Second }

func Worker(ctx context.Context, pool *pgxpool.Pool) (*river.Client[pgx.Tx], error) {
	workers := river.NewWorkers()
	river.AddWorker(workers, &WelcomeWorker{})
	client, err := river.NewClient(riverpgxv5.New(pool), &river.Config{
		Queues:  map[string]river.QueueConfig{"mail": {MaxWorkers: 10}},
		Workers: workers,
	})
	if err != nil {
		return nil, err
	}
	return client, client.Start(ctx)
}

func Delay(ctx context.Context, client *river.Client[pgx.Tx], to string) error {
	_, err := client.Insert(ctx, WelcomeArgs{To: to}, &river.InsertOpts{Queue: "mail", MaxAttempts: 6})
	return err
}
