package sqlite

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// poisonEnv names the variable that makes a test binary a worker on a file, whose
// poisonous tasks end the process.
const poisonEnv = "DTASK_SQLITE_POISON"

func poisonWorker(file string) int {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	log := slog.New(slog.DiscardHandler)
	b, err := Open(ctx, "sqlite:"+file, broker.Config{Logger: log})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer b.Close()
	for _, queue := range []string{"a", "b"} {
		c, err := b.Consume(ctx, broker.ConsumeOptions{Queue: queue, Concurrency: 5, Logger: log})
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		for range 5 {
			go func() {
				for d := range c.Deliveries() {
					poisonTask(d)
				}
			}()
		}
	}
	for {
		time.Sleep(20 * time.Millisecond)
		states, err := b.Queues(ctx)
		if err != nil {
			return 1
		}
		left := 0
		for _, s := range states {
			left += s.Ready + s.Running + s.Delayed
		}
		if left == 0 {
			return 0
		}
	}
}

// poisonTask runs one task: a poisonous one ends this process, or, if it is for want
// of memory, all of them.
func poisonTask(d broker.Delivery) {
	m := d.Message()
	verdict := broker.Done
	switch {
	case m.Attempt > m.Attempts:
		verdict = broker.Dead
	case m.Task == "exit":
		time.Sleep(5 * time.Millisecond)
		os.Exit(3)
	case m.Task == "memory":
		time.Sleep(5 * time.Millisecond)
		killGroup()
	default:
		time.Sleep(40 * time.Millisecond)
	}
	d.Settle(broker.Settlement{Verdict: verdict})
}

// Tasks that kill their workers end among the dead letters, and no other does,
// however many there are, in whatever queue, and however many processes die at once.
func TestPoisons(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		task      string
		poisons   int
		processes int
	}{
		{"exit", 2, 1}, {"exit", 10, 1}, {"exit", 5, 3}, {"memory", 2, 3},
	} {
		t.Run(fmt.Sprintf("%d %s in %d", c.poisons, c.task, c.processes), func(t *testing.T) {
			t.Parallel()
			file := newFile(t)
			b := openBroker(t, file)
			for i := range 100 + c.poisons {
				m := newMessage([]string{"a", "b"}[i%2])
				m.Task = "harmless"
				if i%(100/c.poisons) == 3 && i/(100/c.poisons) < c.poisons {
					m.Task = c.task
				}
				mustEnqueue(t, b, m)
			}
			self, err := os.Executable()
			if err != nil {
				t.Fatal(err)
			}
			for starts := 0; ; starts++ {
				if starts > 60*c.poisons {
					t.Fatalf("there is no end: %+v %+v", queueState(t, b, "a"), queueState(t, b, "b"))
				}
				group, all := 0, sync.WaitGroup{}
				var failed atomic.Bool
				for range c.processes {
					cmd := exec.Command(self)
					cmd.Env = append(os.Environ(), poisonEnv+"="+file)
					cmd.SysProcAttr = inGroup(group)
					cmd.Stderr = os.Stderr
					if err := cmd.Start(); err != nil {
						break // the group is dead already
					}
					if group == 0 {
						group = cmd.Process.Pid
					}
					all.Go(func() {
						if cmd.Wait() != nil {
							failed.Store(true)
						}
					})
				}
				all.Wait()
				if !failed.Load() {
					break
				}
			}
			dead := 0
			for _, queue := range []string{"a", "b"} {
				letters, err := b.DeadLetters(testContext(t), queue, 1000)
				if err != nil {
					t.Fatal(err)
				}
				for _, m := range letters {
					if dead++; m.Task != c.task {
						t.Errorf("a harmless task is dead: %s", m.ID)
					}
				}
				if s := queueState(t, b, queue); s.Ready+s.Running+s.Delayed > 0 {
					t.Errorf("left: %+v", s)
				}
			}
			if dead != c.poisons {
				t.Errorf("%d dead letters, want the %d poisons", dead, c.poisons)
			}
		})
	}
}
