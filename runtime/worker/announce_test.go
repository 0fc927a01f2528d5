//go:build unix

package worker

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/brokertest"
)

// Operators see each worker with what it can run and what it runs; not that which was
// stopped, and for 15 seconds at most that which was killed.
func TestAnnounced(t *testing.T) {
	onEachBroker(t, func(t *testing.T, b *bench) {
		registry, err := broker.As[broker.Registry](b.client.Broker())
		if err != nil {
			t.Fatal(err)
		}
		known := func() map[int]broker.Process {
			ps, err := registry.Processes(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			byPID := make(map[int]broker.Process)
			for _, p := range ps {
				byPID[p.PID] = p
			}
			if len(byPID) != len(ps) {
				t.Errorf("a process is there twice: %+v", ps)
			}
			return byPID
		}
		busy, idle := b.start(nil, "-queues", "work=3,other"), b.start(nil, "-queues", "other=2")
		b.delay(holdTask, "x")
		b.delay(noteTask, "y", "z")
		brokertest.Eventually(t, func() string {
			p, q := known()[busy.cmd.Process.Pid], known()[idle.cmd.Process.Pid]
			if len(p.Running) != 1 || p.RunningTotal != 1 || p.Running[0].Task != "test.Hold" || p.Running[0].Queue != "work" || p.Done != 2 || q.PID == 0 || len(q.Running) != 0 {
				return fmt.Sprintf("workers %+v and %+v, want the first one to run test.Hold", p, q)
			}
			if fmt.Sprint(p.Queues) != "[{other 10} {work 3}]" || fmt.Sprint(q.Queues) != "[{other 2}]" {
				return fmt.Sprintf("queues %v and %v", p.Queues, q.Queues)
			}
			if len(p.Tasks) != len(testTable()) || p.Tasks[0].Schema == "" || p.Build.Go == "" || p.Build.Revision+p.Build.Program == "" || p.Build.Program != q.Build.Program || p.Host == "" || p.ID == q.ID || time.Since(p.Running[0].Since) > patience {
				return fmt.Sprintf("worker %+v", p)
			}
			return ""
		})
		idle.signal(t, syscall.SIGTERM)
		idle.exit(t)
		if _, ok := known()[idle.cmd.Process.Pid]; ok {
			t.Error("a worker that was stopped is known")
		}
		busy.signal(t, syscall.SIGKILL)
		busy.exit(t)
		killed := time.Now()
		for len(known()) > 0 {
			if time.Since(killed) > 15*time.Second {
				t.Fatal("a worker that was killed 15 seconds ago is known")
			}
			time.Sleep(time.Second)
		}
	})
}
