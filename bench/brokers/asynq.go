package brokers

import (
	"context"
	"encoding/json"
	"time"

	"github.com/hibiken/asynq"
)

// asynqSystem is asynq with the settings it is fastest with: a connection for
// every caller and every task, and a poll each millisecond when it found none.
type asynqSystem struct {
	redis       asynq.RedisClientOpt
	client      *asynq.Client
	server      *asynq.Server // nil until started
	concurrency int
	handle      func(task)
}

func openAsynq(_ context.Context, s setup) (system, error) {
	redis := asynq.RedisClientOpt{Addr: s.place, PoolSize: 256}
	return &asynqSystem{redis: redis, client: asynq.NewClient(redis), concurrency: s.concurrency, handle: s.handle}, nil
}

func (a *asynqSystem) enqueue(ctx context.Context, t task) error {
	body, err := json.Marshal(t)
	if err != nil {
		return err
	}
	_, err = a.client.EnqueueContext(ctx, asynq.NewTask("task", body), asynq.MaxRetry(3))
	return err
}

func (a *asynqSystem) start(context.Context) error {
	a.server = asynq.NewServer(a.redis, asynq.Config{
		Concurrency:       a.concurrency,
		TaskCheckInterval: time.Millisecond,
		LogLevel:          asynq.FatalLevel,
	})
	return a.server.Start(asynq.HandlerFunc(func(_ context.Context, at *asynq.Task) error {
		var t task
		if err := json.Unmarshal(at.Payload(), &t); err != nil {
			return err
		}
		a.handle(t)
		return nil
	}))
}

func (a *asynqSystem) stop(context.Context) error {
	if a.server != nil {
		a.server.Shutdown()
	}
	return a.client.Close()
}
