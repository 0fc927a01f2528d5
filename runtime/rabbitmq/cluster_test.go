package rabbitmq_test

import (
	"strings"
	"testing"

	"github.com/dtaskhq/dtask/internal/testenv/rabbitnode"
	"github.com/dtaskhq/dtask/internal/testenv/rabbittest"
)

// In a cluster each node may crash, also before the one that crashed last has
// caught up, so that for a while there is no majority: nothing is lost, and all
// goes on by itself.
func testCluster(t *testing.T) {
	first := rabbittest.StartNode(t, rabbitnode.Options{})
	nodes := []*rabbittest.Node{first}
	hosts := []string{first.Addr()}
	for range 2 {
		n := rabbittest.StartNode(t, rabbitnode.Options{Join: first.Node})
		nodes = append(nodes, n)
		hosts = append(hosts, n.Addr())
	}
	b := open(t, "amqp://guest:guest@"+strings.Join(hosts, ",")+"/")
	l := startLoad(t, b, "q")
	for _, n := range nodes {
		l.progress(300)
		n.Crash()
		l.progress(300) // the other two are enough
		n.Restart()
	}
	l.progress(300)
	l.finish()
}
