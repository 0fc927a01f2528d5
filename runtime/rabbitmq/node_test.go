package rabbitmq_test

import (
	"os"
	"path"
	"strings"
	"testing"

	"github.com/dtaskhq/dtask/internal/testenv/rabbitnode"
	"github.com/dtaskhq/dtask/internal/testenv/rabbittest"
)

// What whole nodes can suffer. A node is shared by a few tests, for starting one
// takes its time. They mostly wait, so the nodes are there side by side.
func TestNodes(t *testing.T) {
	noLeaks(t) // when all have ended
	t.Run("Cluster", func(t *testing.T) {
		t.Parallel()
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
	})
	for name, tests := range map[string]map[string]func(*testing.T, *rabbittest.Node){
		"Alarms": {
			"Blocked":          testBlocked,
			"BlockedConsumer":  testBlockedConsumer,
			"BlockedElsewhere": testBlockedElsewhere,
			"BlockedOutcomes":  testBlockedOutcomes,
			"DiskAlarm":        testDiskAlarm,
		},
		"Crashes": {
			"StopApp":           testStopApp,
			"Crash":             testCrash,
			"ResultAcrossCrash": testResultAcrossCrash,
			"ConnectionsClosed": testConnectionsClosed,
		},
		"Limits": {
			"MaxMessageSize":  testMaxMessageSize,
			"FrameMax":        testFrameMax,
			"QueueFull":       testQueueFull,
			"UserDeleted":     testUserDeleted,
			"NoLeader":        testNoLeader,
			"ConsumerTimeout": testConsumerTimeout,
			"LongTasks":       testLongTasks,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			node := rabbittest.StartNode(t, rabbitnode.Options{})
			for name, test := range tests {
				t.Run(name, func(t *testing.T) { test(t, node.For(t)) })
			}
		})
	}
}

// nodeURL returns a URL of the node whose namespace is the test's own.
func nodeURL(t *testing.T, n *rabbittest.Node) string {
	return n.URL() + "?namespace=" + strings.ToLower(path.Base(t.Name()))
}
