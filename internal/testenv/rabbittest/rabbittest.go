// Package rabbittest gives tests a RabbitMQ to use, and the means to hurt it.
package rabbittest

import (
	"context"
	"crypto/rand"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/dtaskhq/dtask/internal/testenv/rabbitnode"
	"github.com/dtaskhq/dtask/internal/testenv/skip"
)

// URL returns the URL of a virtual host of the test's own on the shared node,
// removed at the end of the test. Without a node the test is skipped.
func URL(t testing.TB) string {
	t.Helper()
	raw := os.Getenv(rabbitnode.EnvURL)
	if raw == "" {
		skip.Test(t, rabbitnode.EnvURL+" is not set: no RabbitMQ to test with; use: make test")
	}
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal("the value of " + rabbitnode.EnvURL + " is not a URL")
	}
	if rabbitnode.Attached() == nil {
		return raw // somebody's own server
	}
	vhost := "test-" + strings.ToLower(rand.Text()[:10])
	Ctl(t, "add_vhost", vhost)
	Ctl(t, "set_permissions", "-p", vhost, "guest", ".*", ".*", ".*")
	t.Cleanup(func() { Ctl(t, "delete_vhost", vhost) })
	u.Path = "/" + vhost
	return u.String()
}

// Ctl runs rabbitmqctl against the shared node.
func Ctl(t testing.TB, args ...string) string {
	t.Helper()
	return ctl(t, rabbitnode.Attached(), args)
}

func ctl(t testing.TB, n *rabbitnode.Node, args []string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	out, err := n.Ctl(ctx, args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

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
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
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

// Ctl runs rabbitmqctl against the node.
func (n *Node) Ctl(args ...string) string {
	n.t.Helper()
	return ctl(n.t, n.Node, args)
}

// Crash halts the node at once, as kill -9 does. In the same moment it has
// RabbitMQ write down which queues there are: it leaves that to a timer of five
// seconds, and a quorum queue declared since does not survive.
func (n *Node) Crash() {
	n.t.Helper()
	// It cannot answer.
	n.Node.Ctl(context.Background(), "eval", "[dets:sync(T) || T <- dets:all()], erlang:halt(137, [{flush, false}]).")
	if err := n.Kill(); err != nil { // its guardian is to know
		n.t.Fatal(err)
	}
}

// Restart boots the node after a Crash.
func (n *Node) Restart() {
	n.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := n.Boot(ctx); err != nil {
		n.t.Fatal(err)
	}
}
