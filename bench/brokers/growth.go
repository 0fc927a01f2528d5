package brokers

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"sync/atomic"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/dtaskhq/dtask/internal/testenv/postgresnode"
	"github.com/dtaskhq/dtask/internal/testenv/rabbitnode"
	"github.com/dtaskhq/dtask/runtime/dtask"
)

// drained is how many tasks, beside those of the backlog, are executed at each size
// of it, and starts how often a worker is started to do it.
const (
	drained = 100_000
	starts  = 5
)

// Growth measures whether a worker is as fast with many tasks waiting as it is
// with few: how long after its start it has its first task, how many it
// executes a second, and how much memory it takes. What it executes is added
// again, so that the backlog stays what it is. On RabbitMQ the plain client takes
// turns with it on the same queue: where the server itself is slower, both are.
//
// only names the broker to measure: rabbitmq, postgresql or sqlite; all if it is empty.
func Growth(ctx context.Context, dir, only string, long bool, out io.Writer) error {
	sizes := func(most ...int) []int {
		if long {
			return append([]int{10_000, 1_000_000}, most...)
		}
		return []int{10_000, 200_000}
	}
	wanted := func(name string) bool { return only == "" || only == name }
	if wanted("rabbitmq") && rabbitnode.Installed() {
		node, err := rabbitnode.Start(ctx, rabbitnode.Options{})
		if err != nil {
			return err
		}
		err = growth(ctx, "RabbitMQ", node.URL(), drainRaw, sizes(), out)
		node.Stop()
		if err != nil {
			return err
		}
	}
	if _, err := postgresnode.Programs(); wanted("postgresql") && err == nil {
		node, err := postgresnode.Start(ctx, postgresnode.Options{Durable: true})
		if err != nil {
			return err
		}
		err = growth(ctx, "PostgreSQL", node.URL(), nil, sizes(10_000_000), out)
		node.Stop()
		if err != nil {
			return err
		}
	}
	if wanted("sqlite") {
		return growth(ctx, "SQLite", "sqlite:"+filepath.Join(dir, "growth.db"), nil, sizes(5_000_000), out)
	}
	return nil
}

// growth prints the table of one broker. bare, if there is one, executes tasks of
// the same queue by the bare client.
func growth(ctx context.Context, broker, url string, bare func(url string) (executed int, perSecond float64, err error), sizes []int, out io.Writer) error {
	client, err := dtask.Open(ctx, url)
	if err != nil {
		return err
	}
	defer client.Close()
	ctx = dtask.NewContext(ctx, client)

	fmt.Fprintf(out, "\n### %s\n\n| waiting | first task after | executed | by the bare client | peak memory of the worker | enqueued (batches of 1000) |\n|---|---|---|---|---|---|\n", broker)
	waiting := 0
	for _, size := range sizes {
		added := size - waiting + drained // so that it is not empty at the end
		took, err := fill(ctx, added)
		if err != nil {
			return err
		}
		enqueued := float64(added) / took.Seconds()
		var rates, bares, firsts []float64
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
			rates = append(rates, float64(r.Executed)/r.Took.Seconds())
			firsts = append(firsts, r.First.Seconds()*1000)
			peak = max(peak, p)
			if _, err := fill(ctx, r.Executed); err != nil {
				return err
			}
			if bare == nil {
				continue
			}
			executed, rate, err := bare(url)
			if err != nil {
				return err
			}
			bares = append(bares, rate)
			if _, err := fill(ctx, executed); err != nil {
				return err
			}
		}
		waiting = size + drained
		first, _ := median(firsts)
		rate, _ := median(rates)
		beside := "–"
		if b, ok := median(bares); ok {
			beside = fmt.Sprintf("%.1fk/s (%.2f×)", b/1000, rate/b)
		}
		fmt.Fprintf(out, "| %d | %.1f ms | %.1fk/s | %s | %d MB | %.1fk/s |\n",
			size, first, rate/1000, beside, peak>>20, enqueued/1000)
	}
	return nil
}

// drainRaw executes tasks of dtask's queue by the plain client.
func drainRaw(url string) (executed int, perSecond float64, err error) {
	conn, err := amqp.Dial(url)
	if err != nil {
		return 0, 0, err
	}
	defer conn.Close()
	var count, first atomic.Int64 // first: Unix nanoseconds
	done := make(chan struct{})
	r := &rawAMQP{consuming: conn, queue: "dtask.queue.bench", concurrency: 100, handle: func(task) {
		switch count.Add(1) {
		case 1:
			first.Store(time.Now().UnixNano())
		case drained:
			close(done)
		}
	}}
	if err := r.start(context.Background()); err != nil {
		return 0, 0, err
	}
	<-done
	took := time.Since(time.Unix(0, first.Load()))
	err = r.cancel()
	return int(count.Load()), drained / took.Seconds(), err
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
