package rabbitmq_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/dtaskhq/dtask/internal/testenv/rabbitnode"
	"github.com/dtaskhq/dtask/internal/testenv/rabbittest"
	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/rabbitmq"
)

// A node that is parted from the majority goes on to accept connections, with
// RabbitMQ's default cluster_partition_handling. Who is connected to it moves to
// another host: producers, consumers of queues that have their leader here and
// there, schedules, and waits for results. Nothing is lost.
func testPartition(t *testing.T) {
	// A node that was parted does not try to keep others together.
	alone := rabbitnode.Options{Args: "-kernel prevent_overlapping_partitions false"}
	parted := rabbittest.StartNode(t, alone)
	others := make([]*rabbittest.Node, 2)
	hosts := []string{parted.Addr()}
	var proxies []*rabbittest.Proxy
	for i := range others {
		join := alone
		join.Join = parted.Node
		others[i] = rabbittest.StartNode(t, join)
		p := rabbittest.NewProxy(t, others[i].Addr())
		p.Refuse() // at first all clients are connected to the one that will be parted
		proxies = append(proxies, p)
		hosts = append(hosts, p.Addr())
	}
	elsewhere := open(t, others[0].URL())
	enqueue(t, elsewhere, message("there")) // the leader of a queue is where it is declared first

	b := open(t, "amqp://guest:guest@"+strings.Join(hosts, ",")+"/")
	here, there := startLoad(t, b, "here"), startLoad(t, b, "there")
	waited := kept("later")
	enqueue(t, b, waited)
	result := make(chan error, 1)
	go func() { result <- checkValue(testContext(t), b, waited) }()
	eventually(t, func() string { return unwatched(b, waited.ID) })
	scheduled := message("here")
	tick(t, b, scheduled.Task, scheduled)
	here.progress(100)
	there.progress(100)

	for _, p := range proxies {
		p.Resume()
	}
	start := time.Now()
	parted.Isolate(others...)
	here.progress(500)
	t.Logf("queue here goes on after %v", time.Since(start).Round(time.Second))
	there.progress(500)
	t.Logf("queue there goes on after %v", time.Since(start).Round(time.Second))
	execute(t, b, "later", 1)
	if err := <-result; err != nil {
		t.Errorf("the wait for a result: %v", err)
	}
	t.Logf("result after %v", time.Since(start).Round(time.Second))
	tickAgain(t, b, scheduled.Task)
	t.Logf("ticks after %v", time.Since(start).Round(time.Second))
	here.finish()
	there.finish()
}

// tickAgain waits until a schedule ticks, whatever becomes of ticks before.
func tickAgain(t *testing.T, b *rabbitmq.Broker, schedule string) {
	t.Helper()
	eventually(t, func() string {
		last, err := b.LastTick(testContext(t), schedule)
		if errors.Is(err, broker.ErrNotScheduler) {
			return "another process is the scheduler"
		}
		if err != nil {
			return errText(err)
		}
		if ok, err := b.Tick(testContext(t), schedule, last, last.Add(time.Second), nil); !ok {
			return "no tick: " + errText(err)
		}
		return ""
	})
}
