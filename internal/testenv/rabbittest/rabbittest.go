// Package rabbittest gives tests a RabbitMQ to use, and the means to disturb it.
package rabbittest

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/dtaskhq/dtask/internal/testenv/rabbitnode"
	"github.com/dtaskhq/dtask/internal/testenv/skip"
)

// patience is how long a node may take to start: seconds, but on a machine with
// much else to do minutes.
const patience = 5 * time.Minute

// A Node is a node of the test's own, to be stopped and crashed.
type Node struct {
	*rabbitnode.Node
	t testing.TB
}

// StartNode starts a node that ends with the test. It takes some seconds. It
// skips, or fails, as [URL] does.
func StartNode(t testing.TB, o rabbitnode.Options) *Node {
	t.Helper()
	if os.Getenv(rabbitnode.EnvURL) == "" {
		skip.Test(t, rabbitnode.EnvURL+" is not set: tests start no RabbitMQ of their own; use: make test")
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	n, err := rabbitnode.Start(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.Stop)
	return &Node{n, t}
}

// For returns the node for use in another test, a subtest.
func (n *Node) For(t testing.TB) *Node { return &Node{n.Node, t} }

// Eval evaluates an Erlang expression in the node.
func (n *Node) Eval(expression string) string {
	n.t.Helper()
	return eval(n.t, n.Node, expression)
}

// Crash halts the node at once, as kill -9 does. Just before, it makes RabbitMQ
// write to disk which queues there are. RabbitMQ itself does that only after five
// seconds, and a quorum queue that is younger would not survive.
func (n *Node) Crash() {
	n.t.Helper()
	// The node halts before it can answer.
	n.Node.Eval(context.Background(), "[dets:sync(T) || T <- dets:all()], erlang:halt(137, [{flush, false}])")
	if err := n.Kill(); err != nil { // its guardian is to know
		n.t.Fatal(err)
	}
}

// Restart boots the node after a Crash.
func (n *Node) Restart() {
	n.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := n.Boot(ctx); err != nil {
		n.t.Fatal(err)
	}
}
