//go:build unix

package chaos

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/dtaskhq/dtask/runtime/dtask"

	"github.com/dtaskhq/dtask/internal/testenv/rabbitnode"
	"github.com/dtaskhq/dtask/internal/testenv/rabbittest"
)

// private returns a trial on a RabbitMQ node of its own.
func private(t *testing.T, name string) (*trial, *rabbittest.Node) {
	t.Helper()
	t.Parallel()
	node := rabbittest.StartNode(t, rabbitnode.Options{})
	return newTrial(t, name+", RabbitMQ", node.URL()), node
}

// T3: RabbitMQ crashes as in a power cut, and is stopped in good order, under
// load, a tenth of it delayed.
func TestBrokerCrash(t *testing.T) {
	tr, node := private(t, "T3 broker crashed and stopped")
	const workers, concurrency, callers = 2, 10, 16
	tr.work(tr.url, workers, crew{Concurrency: concurrency})
	tr.produce(tr.url, load{Callers: callers, Delayed: 10, MaxDelay: 5 * time.Second})
	calm := scale(4*time.Second, 8*time.Second)
	cycles := scale(1, 10)
	for range cycles {
		time.Sleep(calm)
		node.Crash()
		node.Restart()
		time.Sleep(calm)
		node.StopApp()
	}
	time.Sleep(calm)
	// What is in execution at a fault, or fetched ahead, is executed again; what is
	// published is published again, under the same id.
	faults := 2 * cycles
	tr.require(tr.settle(), allowance{duplicated: faults * (workers*2*concurrency + callers)})
}

// T6: RabbitMQ runs out of memory and disk. No Delay waits longer than its
// context, workers go on, and what waited is enqueued afterwards.
func TestAlarms(t *testing.T) {
	tr, node := private(t, "T6 memory and disk alarms")
	backlog := scale(500, 40_000)
	tr.produce(tr.url, load{Callers: 16, Count: backlog})
	tr.outlast(tr.producers[0])

	client, err := open(tr.url)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	load := load{Callers: 16, Sleep: time.Millisecond}
	refused := 0
	for _, alarm := range []func(on bool){node.MemoryAlarm, node.DiskAlarm} {
		alarm(true)
		refused += tr.refused(client)
		executed := len(tr.record.runs)
		if len(tr.workers) == 0 { // the backlog is worked off during the alarm
			tr.work(tr.url, 2, crew{Concurrency: 10})
			tr.await("workers go on during an alarm", func(r *record) bool { return len(r.runs) == executed+backlog })
		}
		tr.produce(tr.url, load)
		time.Sleep(scale(2*time.Second, 5*time.Second))
		alarm(false)
		tr.await("producers go on after an alarm", func(r *record) bool { return len(r.outcome) > executed+backlog })
	}
	a := tr.settle()
	allowed := onePercent(a)
	allowed.failed = refused
	tr.require(a, allowed)
}

// refused tries to enqueue until the client knows of the alarm. Each call returns
// by the end of its context. It returns how many calls were refused: 1, because
// the outcome of those before it is unknown.
func (tr *trial) refused(client *dtask.Client) int {
	tr.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		ctx, cancel := context.WithTimeout(dtask.NewContext(context.Background(), client), time.Second)
		tr.serial++
		err := enqueue(ctx, plain, fmt.Sprintf("refused%d", tr.serial), 0, 0, tr.ledger)
		cancel()
		switch {
		case errors.Is(err, dtask.ErrBlocked):
			return 1
		case err != nil && !errors.Is(err, dtask.ErrUnknownOutcome):
			tr.Fatalf("during an alarm: %v, want ErrBlocked", err)
		}
	}
	tr.Fatal("enqueues are never refused during an alarm")
	return 0
}
