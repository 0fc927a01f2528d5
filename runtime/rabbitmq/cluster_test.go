package rabbitmq_test

import (
	"path"
	"strings"
	"testing"

	"github.com/dtaskhq/dtask/internal/testenv/rabbittest"
)

// clusterURL returns a URL of several hosts, whose namespace is the test's own.
func clusterURL(t *testing.T, hosts []string) string {
	return "amqp://guest:guest@" + strings.Join(hosts, ",") + "/?namespace=" + strings.ToLower(path.Base(t.Name()))
}

// In a cluster each node may crash, also before the one that crashed last has
// caught up, so that for a while there is no majority: nothing is lost, and all
// goes on by itself.
func testClusterCrashes(t *testing.T, nodes []*rabbittest.Node) {
	var hosts []string
	for _, n := range nodes {
		hosts = append(hosts, n.Addr())
	}
	b := open(t, clusterURL(t, hosts))
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
