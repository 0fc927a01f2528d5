package brokers

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"slices"
	"sync"
	"time"

	"github.com/dtaskhq/dtask/bench/usage"
	"github.com/dtaskhq/dtask/runtime/dtask"
)

// A workerReport is what a worker process tells when it stops.
type workerReport struct {
	Executed int           // tasks
	First    time.Duration // from consuming to the first task
	Took     time.Duration // from the first task to the last
	Latency  time.Duration // median from enqueueing to the handler, of tasks whose N is that time
}

// Work is the worker process that other measurements start: it executes tasks
// until the given number is done, or its parent has died, and prints a
// workerReport.
func Work(ctx context.Context, url string, concurrency, tasks int, timed bool) error {
	ctx, quit := context.WithCancel(ctx)
	defer quit()
	go func() {
		for s := bufio.NewScanner(os.Stdin); s.Scan(); {
		}
		quit()
	}()
	client, err := dtask.Open(ctx, url)
	if err != nil {
		return err
	}
	defer client.Close()

	var mu sync.Mutex
	var report workerReport
	var first, last time.Time
	var latencies []time.Duration
	table := dtask.Table{dtaskTask.Bind(func(_ context.Context, t task) (dtask.None, error) {
		now := time.Now()
		mu.Lock()
		defer mu.Unlock()
		if first.IsZero() {
			first = now
		}
		last = now
		if timed {
			latencies = append(latencies, now.Sub(time.Unix(0, t.N)))
		}
		if report.Executed++; report.Executed == tasks {
			quit()
		}
		return dtask.None{}, nil
	})}
	worker, err := dtask.NewWorker(client, dtask.WorkerConfig{Concurrency: concurrency, Logger: slog.New(slog.DiscardHandler)}, table)
	if err != nil {
		return err
	}
	go func() {
		<-worker.Ready()
		fmt.Println("ready")
	}()
	start := time.Now()
	if err := worker.Run(ctx); err != nil {
		return err
	}
	report.First, report.Took = first.Sub(start), last.Sub(first)
	if slices.Sort(latencies); len(latencies) > 0 {
		report.Latency = latencies[len(latencies)/2]
	}
	return json.NewEncoder(os.Stdout).Encode(report)
}

// A workerProcess is a process that runs Work.
type workerProcess struct {
	cmd *exec.Cmd
	out *bufio.Reader
}

// startWorker starts a worker process and waits until it consumes.
func startWorker(ctx context.Context, url string, concurrency, tasks int, timed bool) (*workerProcess, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self, "work", "-url", url,
		fmt.Sprintf("-concurrency=%d", concurrency), fmt.Sprintf("-tasks=%d", tasks), fmt.Sprintf("-timed=%t", timed))
	cmd.Stderr = os.Stderr
	if _, err := cmd.StdinPipe(); err != nil { // it ends with this process
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &workerProcess{cmd, bufio.NewReader(stdout)}
	if _, err := p.out.ReadString('\n'); err != nil {
		return nil, fmt.Errorf("worker process: %w", err)
	}
	return p, nil
}

// report waits for the end of the worker process. It returns the peak of its
// resident memory, too, in bytes.
func (p *workerProcess) report() (r workerReport, peak int64, err error) {
	if err := json.NewDecoder(p.out).Decode(&r); err != nil {
		return r, 0, fmt.Errorf("worker process: %w", err)
	}
	err = p.cmd.Wait()
	return r, usage.Peak(p.cmd.ProcessState), err
}
