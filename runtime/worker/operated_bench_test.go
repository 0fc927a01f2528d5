//go:build unix

package worker

import (
	"context"
	"io"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/dtaskhq/dtask/internal/testenv/postgrestest"
	"github.com/dtaskhq/dtask/internal/testenv/rabbittest"
	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/dtask"
	"github.com/dtaskhq/dtask/runtime/internal/inside"
)

// BenchmarkOperated measures what it costs a worker that operators can see it: the
// registry, the journal and the orders. Rounds with and without them take turns in one
// process, and what is reported is the median of their ratios, with by without: of the
// tasks a second (speed), and of the processor time of a task (cpu).
//
// D executes what waits, and G executes what 64 callers enqueue meanwhile. The rounds are
// short, so each entry in the registry and each batch of the journal counts for more than
// in a worker that runs for days.
func BenchmarkOperated(b *testing.B) {
	for _, store := range []struct {
		name  string
		url   func(testing.TB) string
		tasks int // what D executes
	}{
		{"sqlite", func(t testing.TB) string { return "sqlite:" + filepath.Join(t.TempDir(), "tasks.db") }, 50_000},
		{"postgres", postgrestest.URL, 200_000},
		{"rabbitmq", rabbittest.URL, 50_000},
	} {
		for name, tasks := range map[string]int{"D": store.tasks, "G": 0} {
			b.Run(store.name+"/"+name, func(b *testing.B) {
				var speed, cpu []float64
				for i := 0; b.Loop(); i++ {
					var took, busy [2]float64
					for turn := range 2 {
						with := (turn+i)%2 == 1 // nobody is always first
						at := map[bool]int{true: 0, false: 1}[with]
						took[at], busy[at] = execute(b, store.url(b), tasks, with)
					}
					speed, cpu = append(speed, took[1]/took[0]), append(cpu, busy[0]/busy[1])
				}
				b.ReportMetric(0, "ns/op") // which is that of a round
				b.ReportMetric(median(speed), "speed")
				b.ReportMetric(median(cpu), "cpu")
			})
		}
	}
}

func median(list []float64) float64 {
	slices.Sort(list)
	return list[len(list)/2]
}

// together is how long G enqueues.
const together = 2 * time.Second

// execute executes tasks, and returns the seconds and the processor seconds that one
// takes. Of a number of 0 it executes what is enqueued meanwhile.
func execute(b *testing.B, url string, tasks int, with bool) (took, busy float64) {
	done := newFinish(tasks)
	noteTask := define("test.Note", "work", 3)
	p := &program{
		name: "worker", getenv: func(string) string { return "" }, stdout: io.Discard, stderr: io.Discard, log: slog.New(slog.DiscardHandler),
		tables: []dtask.Table{{noteTask.Bind(func(context.Context, textArgs) (dtask.None, error) {
			done.one()
			return dtask.None{}, nil
		})}},
	}
	journal := "0"
	if with {
		journal = "168h"
	}
	var err error
	if p.config, err = parseConfig("worker", []string{"-url", url, "-concurrency", "100", "-journal", journal}, p.getenv); err != nil {
		b.Fatal(err)
	}
	s, err := p.newService(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	defer s.close()
	ctx := dtask.NewContext(b.Context(), s.client)
	for n := 0; n < tasks; n += 1000 {
		if _, err := dtask.DelayMany(ctx, noteTask, make([]textArgs, min(1000, tasks-n))); err != nil {
			b.Fatal(err)
		}
	}

	stop := newStopper()
	var using sync.WaitGroup
	running, end := context.WithCancel(b.Context())
	start, cpu := time.Now(), processorTime()
	using.Go(func() {
		if err := s.run(running, stop); err != nil {
			b.Error(err)
		}
	})
	if with {
		a := newAnnouncer(s, p, stop.ctx)
		using.Go(func() { a.run(running, s.worker.Ready()) })
		using.Go(func() { s.obeyOperators(running, a, stop) })
		using.Go(func() { s.recorder.run(running) })
	}
	if tasks == 0 {
		tasks = enqueueFor(ctx, b, noteTask, together)
		done.after(tasks)
	}
	<-done.ended
	took, busy = time.Since(start).Seconds(), (processorTime() - cpu).Seconds()
	end()
	using.Wait()
	return took / float64(tasks), busy / float64(tasks)
}

// A finish tells when a number of tasks is done.
type finish struct {
	done, want atomic.Int64 // want 0: not known yet
	ended      chan struct{}
	once       sync.Once
}

func newFinish(tasks int) *finish {
	f := &finish{ended: make(chan struct{})}
	f.want.Store(int64(tasks))
	return f
}

func (f *finish) one()            { f.check(f.done.Add(1)) }
func (f *finish) after(tasks int) { f.want.Store(int64(tasks)); f.check(f.done.Load()) }

func (f *finish) check(done int64) {
	if want := f.want.Load(); want > 0 && done >= want {
		f.once.Do(func() { close(f.ended) })
	}
}

// enqueueFor enqueues from 64 callers for a time, and returns how many tasks.
func enqueueFor(ctx context.Context, b *testing.B, task dtask.Task[textArgs, dtask.None], d time.Duration) int {
	var n atomic.Int64
	var callers sync.WaitGroup
	start := time.Now()
	for range 64 {
		callers.Go(func() {
			for time.Since(start) < d {
				if _, err := task.Delay(ctx, textArgs{}); err != nil {
					b.Error(err)
					return
				}
				n.Add(1)
			}
		})
	}
	callers.Wait()
	return int(n.Load())
}

// processorTime returns what this process has used so far.
func processorTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u) // fails for no process of its own
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkNote is what the recorder does for each task. Many end theirs at once.
func BenchmarkNote(b *testing.B) {
	r := &recorder{name: newCounts(dtask.Table{{Name: "example.com/shop/mail.Send"}}).name, now: make(map[taskOnQueue]*broker.Tally)}
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			now := time.Now()
			r.note(inside.Settled{ProcessRunning: broker.ProcessRunning{Task: "example.com/shop/mail.Send", Queue: "mail", Since: now}, Ended: now, Outcome: "done"})
		}
	})
}
