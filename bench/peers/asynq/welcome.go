// Package asynq is the task of docs/coming-from.md in asynq.
package asynq

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/hibiken/asynq"
)

const TypeWelcome = "mail:welcome"

type Welcome struct {
	To string
}

func Delay(client *asynq.Client, to string) error {
	payload, err := json.Marshal(Welcome{To: to})
	if err != nil {
		return err
	}
	_, err = client.Enqueue(asynq.NewTask(TypeWelcome, payload),
		asynq.Queue("mail"), asynq.MaxRetry(5), asynq.Timeout(30*time.Second))
	return err
}

func HandleWelcome(ctx context.Context, t *asynq.Task) error {
	var w Welcome
	if err := json.Unmarshal(t.Payload(), &w); err != nil {
		return fmt.Errorf("%w: %w", err, asynq.SkipRetry)
	}
	fmt.Println("welcome,", w.To)
	return nil
}

func Worker(redis asynq.RedisConnOpt) error {
	mux := asynq.NewServeMux()
	mux.HandleFunc(TypeWelcome, HandleWelcome)
	return asynq.NewServer(redis, asynq.Config{Queues: map[string]int{"mail": 1}}).Run(mux)
}
