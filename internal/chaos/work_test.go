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
	KeepUnknown time.Duration // 0: the default
}

// work executes tasks until stopped.
func (c *crew) work(url string, log *ledger, stopped <-chan struct{}) error {
	client, err := open(url)
	if err != nil {
		return err
	}
	w, err := dtask.NewWorker(client, dtask.WorkerConfig{Concurrency: c.Concurrency, KeepUnknown: c.KeepUnknown}, table(log, c.Old))
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
