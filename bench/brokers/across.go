package brokers

import (
	"context"
	"path/filepath"
	"time"

	"github.com/dtaskhq/dtask/runtime/dtask"
)

// Across measures the letter E with the worker in another process, on SQLite.
// It returns the median in milliseconds.
func Across(ctx context.Context, dir string, duration time.Duration) (float64, error) {
	url := "sqlite:" + filepath.Join(dir, "across.db")
	client, err := dtask.Open(ctx, url)
	if err != nil {
		return 0, err
	}
	defer client.Close()
	const every = 10 * time.Millisecond
	tasks := int(duration / every)
	worker, err := startWorker(ctx, url, 10, tasks, true)
	if err != nil {
		return 0, err
	}
	ctx = dtask.NewContext(ctx, client)
	tick := time.NewTicker(every)
	defer tick.Stop()
	for range tasks {
		if _, err := dtaskTask.Delay(ctx, task{N: time.Now().UnixNano()}); err != nil {
			return 0, err
		}
		<-tick.C
	}
	r, _, err := worker.report()
	return r.Latency.Seconds() * 1000, err
}
