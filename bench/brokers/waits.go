package brokers

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/dtaskhq/dtask/runtime/dtask"
)

// doubleTask is a task whose result is waited for.
var doubleTask = dtask.Define[task, int64]("bench.Double", dtask.Spec{Queue: "waits", Schema: "0123456789abcdef"})

// Waits measures how long it takes to wait for the results of many tasks, all at once
// and one after the other. They are there already, and who waits is a client that has
// just been opened: what is measured is how they are found.
func Waits(ctx context.Context, dir string, out io.Writer) error {
	fmt.Fprintf(out, "\n| results | on | all at once | one after the other |\n|---|---|---|---|\n")
	url, stop, err := rabbitMQServer.start(ctx, dir)
	switch {
	case errors.Is(err, errNotInstalled):
		fmt.Fprintf(out, "%s is not installed.\n", rabbitMQServer.name)
	case err != nil:
		return err
	default:
		defer stop()
	}
	for _, n := range []int{100, 1000, 10_000} {
		places := map[string]string{"SQLite": fmt.Sprintf("sqlite:%s?namespace=waits_%d", filepath.Join(dir, "waits.db"), n)}
		if url != "" {
			places["RabbitMQ"] = fmt.Sprintf("%s?namespace=waits_%d", url, n)
		}
		for _, on := range []string{"RabbitMQ", "SQLite"} {
			place, ok := places[on]
			if !ok {
				continue
			}
			handles, err := runKept(ctx, place, n)
			if err != nil {
				return err
			}
			together, err := timeWaits(ctx, place, handles, n)
			if err != nil {
				return err
			}
			each, err := timeWaits(ctx, place, handles, 1)
			if err != nil {
				return err
			}
			fmt.Fprintf(out, "| %d | %s | %v | %v |\n", n, on, together.Round(time.Millisecond), each.Round(time.Millisecond))
		}
	}
	return nil
}

// runKept runs tasks, and returns the handles of their results.
func runKept(ctx context.Context, place string, n int) ([]dtask.Handle[int64], error) {
	client, err := dtask.Open(ctx, place)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	batch := make([]task, n)
	for i := range batch {
		batch[i] = task{Name: "a name of 20 letters", N: int64(i)}
	}
	handles, err := dtask.DelayMany(dtask.NewContext(ctx, client), doubleTask, batch, dtask.Keep(time.Hour))
	if err != nil {
		return nil, err
	}
	left := make(chan struct{}, n)
	worker, err := dtask.NewWorker(client, dtask.WorkerConfig{Concurrency: 100, Logger: slog.New(slog.DiscardHandler)},
		dtask.Table{doubleTask.Bind(func(_ context.Context, t task) (int64, error) {
			left <- struct{}{}
			return 2 * t.N, nil
		})})
	if err != nil {
		return nil, err
	}
	running, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- worker.Run(running) }()
	for range n {
		<-left
	}
	stop()
	return handles, <-ended
}

// timeWaits waits for results by a client of its own, so many at a time.
func timeWaits(ctx context.Context, place string, handles []dtask.Handle[int64], atOnce int) (time.Duration, error) {
	client, err := dtask.Open(ctx, place)
	if err != nil {
		return 0, err
	}
	defer client.Close()
	ctx = dtask.NewContext(ctx, client)
	start := time.Now()
	room := make(chan struct{}, atOnce)
	errs := make(chan error, len(handles))
	for i, h := range handles {
		room <- struct{}{}
		go func() {
			n, err := h.Wait(ctx)
			if err == nil && n != 2*int64(i) {
				err = fmt.Errorf("the result of task %d is %d", i, n)
			}
			errs <- err
			<-room
		}()
	}
	for range handles {
		err = errors.Join(err, <-errs)
	}
	return time.Since(start), err
}
