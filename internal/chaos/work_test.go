//go:build unix

package chaos

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/dtaskhq/dtask/runtime/dtask"
)

// A crew is a worker.
type crew struct {
	Concurrency int
	Old         bool          // an older build, which knows fewer tasks
	Build       int           // 0, or which of those in builds_test.go
	KeepUnknown time.Duration // 0: the default
	Effects     string        // empty, or where the database of effects_test.go is
}

// work executes tasks until stopped.
func (c *crew) work(url string, log *ledger, stopped <-chan struct{}) error {
	client, err := open(url)
	if err != nil {
		return err
	}
	tasks := table(log, c.Old)
	if c.Build > 0 {
		tasks = tableOf(c.Build, log)
	}
	if c.Effects != "" {
		db, err := openEffects(c.Effects)
		if err != nil {
			return err
		}
		defer db.Close()
		tasks = effectsTable(db, log)
	}
	w, err := dtask.NewWorker(client, dtask.WorkerConfig{Concurrency: c.Concurrency, KeepUnknown: c.KeepUnknown}, tasks)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	select {
	case <-w.Ready():
		fmt.Println("ready")
	case <-stopped:
	case err := <-ended:
		return err
	}
	<-stopped
	cancel()
	return errors.Join(<-ended, client.Close())
}
