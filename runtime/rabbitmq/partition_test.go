package rabbitmq_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/dtaskhq/dtask/internal/testenv/rabbittest"
	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/rabbitmq"
)

// A node that is parted from the majority goes on to accept connections, with
// RabbitMQ's default cluster_partition_handling.
func testPartition(t *testing.T, nodes []*rabbittest.Node) {
	testUselessNode(t, nodes, func(n *rabbittest.Node, others []*rabbittest.Node) (mend func()) {
		n.Isolate(others...)
		return func() { n.Join(others...) }
	})
}

// The process of a node that hangs holds its connections, and does nothing.
func testSuspendedNode(t *testing.T, nodes []*rabbittest.Node) {
	testUselessNode(t, nodes, func(n *rabbittest.Node, _ []*rabbittest.Node) (mend func()) {
		n.Suspend()
		return n.Continue
	})
}

// Who is connected to a node that became useless moves to another host: producers,
// consumers of queues that have their leader here and there, schedules, and waits
// for results. So do the queues whose leader was here, for clients of other nodes,
// too. RabbitMQ may hold back delayed messages until the node is well again; then all
// arrive. At the end the node is restarted, as RabbitMQ demands of one that was away.
func testUselessNode(t *testing.T, nodes []*rabbittest.Node, harm func(n *rabbittest.Node, others []*rabbittest.Node) (mend func())) {
	bad, others := nodes[0], nodes[1:]
	hosts := []string{bad.Addr()}
	var proxies []*rabbittest.Proxy
	for _, n := range others {
		p := rabbittest.NewProxy(t, n.Addr())
		p.Refuse() // at first all clients are connected to the bad one
		proxies = append(proxies, p)
		hosts = append(hosts, p.Addr())
	}
	elsewhere := open(t, clusterURL(t, []string{others[0].Addr(), others[1].Addr()}))
	enqueue(t, elsewhere, message("there")) // the leader of a queue is where it is declared first

	b := open(t, clusterURL(t, hosts))
	enqueue(t, b, message("far"))
	here, there, far := startLoad(t, b, "here"), startLoad(t, b, "there"), startLoad(t, elsewhere, "far")
	loads := map[string]*load{"here": here, "there": there, "far": far}
	waited := kept("later")
	enqueue(t, b, waited)
	result := make(chan error, 1)
	ctx, cancel := context.WithTimeout(context.Background(), 4*patience)
	defer cancel()
	go func() { result <- checkValue(ctx, b, waited) }()
	eventually(t, func() string { return unwatched(b, waited.ID) })
	scheduled := message("here")
	tick(t, b, scheduled.Task, scheduled)
	for _, l := range loads {
		l.progress(100)
	}
	for _, p := range proxies {
		p.Resume()
	}

	start := time.Now()
	after := func(what string) { t.Logf("%s after %v", what, time.Since(start).Round(time.Second)) }
	mend := harm(bad, others)
	mended := false
	defer func() {
		if !mended {
			mend()
		}
	}()
	for name, l := range loads {
		l.progress(500)
		after(name + " goes on")
	}
	execute(t, b, "later", 1)
	if err := <-result; err != nil {
		t.Errorf("the wait for a result: %v", err)
	}
	after("result")
	tickAgain(t, b, scheduled.Task)
	after("tick")
	mended = true
	mend()
	after("mended")
	for name, l := range loads {
		l.progress(100)
		l.finish()
		after(name + " accounted for")
	}
	bad.Crash()
	bad.Restart()
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
