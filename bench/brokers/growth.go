package brokers

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"time"

	"github.com/dtaskhq/dtask/internal/testenv/rabbitnode"
	dtask "github.com/dtaskhq/dtask/runtime"
)

// drained is how many tasks are executed at each size of the backlog, and
// starts how often a worker is started to do it.
const (
	drained = 20_000
	starts  = 5
)

// Growth measures whether a worker is as fast with many tasks waiting as it is
// with few: how long after its start it has its first task, how many it
// executes a second, and how much memory it takes. What it executes is added
// again, so that the backlog stays what it is.
func Growth(ctx context.Context, dir string, long bool, out io.Writer) error {
	sizes := []int{10_000, 200_000}
	if long {
		sizes = []int{10_000, 1_000_000}
	}
	if rabbitnode.Installed() {
		starting, cancel := context.WithTimeout(ctx, 2*time.Minute)
		defer cancel()
		node, err := rabbitnode.Start(starting, rabbitnode.Options{})
		if err != nil {
			return err
		}
		err = growth(ctx, "RabbitMQ", node.URL(), sizes, out)
		node.Stop()
		if err != nil {
			return err
		}
	}
	if long {
		sizes = append(sizes, 5_000_000)
	}
	return growth(ctx, "SQLite", "sqlite:"+filepath.Join(dir, "growth.db"), sizes, out)
}

func growth(ctx context.Context, broker, url string, sizes []int, out io.Writer) error {
	client, err := dtask.Open(ctx, url)
	if err != nil {
		return err
	}
	defer client.Close()
	ctx = dtask.NewContext(ctx, client)

	fmt.Fprintf(out, "\n### %s\n\n| waiting | first task after | executed | peak memory of the worker | enqueued (batches of 1000) |\n|---|---|---|---|---|\n", broker)
	waiting := 0
	for _, size := range sizes {
		added := size - waiting + drained // so that it is not empty at the end
		took, err := fill(ctx, added)
		if err != nil {
			return err
		}
		enqueued := float64(added) / took.Seconds()
		var rates, firsts []float64
		var peak int64
		for range starts {
			worker, err := startWorker(ctx, url, 100, drained, false)
			if err != nil {
				return err
			}
			r, p, err := worker.report()
			if err != nil {
				return err
			}
			rates = append(rates, drained/r.Took.Seconds())
			firsts = append(firsts, r.First.Seconds()*1000)
			peak = max(peak, p)
			if _, err := fill(ctx, r.Executed); err != nil {
				return err
			}
		}
		waiting = size + drained
		slices.Sort(rates)
		slices.Sort(firsts)
		fmt.Fprintf(out, "| %d | %.1f ms | %.1fk/s | %d MB | %.1fk/s |\n",
			size, firsts[starts/2], rates[starts/2]/1000, peak>>20, enqueued/1000)
	}
	return nil
}

// fill enqueues a number of tasks.
func fill(ctx context.Context, tasks int) (time.Duration, error) {
	start := time.Now()
	for tasks > 0 {
		batch := make([]task, min(tasks, 1000))
		for i := range batch {
			batch[i] = task{Name: "a name of 20 letters", N: int64(i)}
		}
		if _, err := dtask.DelayMany(ctx, dtaskTask, batch); err != nil {
			return 0, err
		}
		tasks -= len(batch)
	}
	return time.Since(start), nil
}
