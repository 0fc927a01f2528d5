package rabbitmq_test

import (
	"os"
	"path"
	"strings"
	"testing"

	"github.com/dtaskhq/dtask/internal/testenv/rabbitnode"
	"github.com/dtaskhq/dtask/internal/testenv/rabbittest"
)

// What whole nodes can suffer.

func TestCluster(t *testing.T) {
	t.Parallel()
	noLeaks(t)
	nodes := rabbittest.StartCluster(t, 3)
	own := func(t *testing.T) (own []*rabbittest.Node) {
		for _, n := range nodes {
			own = append(own, n.For(t))
		}
		return own
	}
	t.Run("ClusterCrashes", func(t *testing.T) { testClusterCrashes(t, own(t)) })
	if os.Getenv("DTASK_CHAOS") == "long" { // each takes minutes
		t.Run("Partition", func(t *testing.T) { testPartition(t, own(t)) })
		t.Run("SuspendedNode", func(t *testing.T) { testSuspendedNode(t, own(t)) })
	}
}

func TestNodeCrashes(t *testing.T) {
	t.Parallel()
	onNode(t, map[string]func(*testing.T, *rabbittest.Node){
		"StopApp":           testStopApp,
		"Crash":             testCrash,
		"ResultAcrossCrash": testResultAcrossCrash,
		"ConnectionsClosed": testConnectionsClosed,
	})
}

func TestNodeLimits(t *testing.T) {
	t.Parallel()
	onNode(t, map[string]func(*testing.T, *rabbittest.Node){
		"Blocked":          testBlocked,
		"BlockedConsumer":  testBlockedConsumer,
		"BlockedElsewhere": testBlockedElsewhere,
		"BlockedOutcomes":  testBlockedOutcomes,
		"DiskAlarm":        testDiskAlarm,
		"MaxMessageSize":   testMaxMessageSize,
		"FrameMax":         testFrameMax,
		"QueueFull":        testQueueFull,
		"UserDeleted":      testUserDeleted,
		"NoLeader":         testNoLeader,
		"ConsumerTimeout":  testConsumerTimeout,
		"LongTasks":        testLongTasks,
	})
}

// onNode runs tests one after the other on a node, as starting one takes its time.
// Those that touch no more than their own queues are parallel.
func onNode(t *testing.T, tests map[string]func(*testing.T, *rabbittest.Node)) {
	t.Helper()
	noLeaks(t) // when all have ended
	node := rabbittest.StartNode(t, rabbitnode.Options{})
	for name, test := range tests {
		t.Run(name, func(t *testing.T) { test(t, node.For(t)) })
	}
}

// nodeURL returns a URL of the node whose namespace is the test's own.
func nodeURL(t *testing.T, n *rabbittest.Node) string {
	return n.URL() + "?namespace=" + strings.ToLower(path.Base(t.Name()))
}
