package rabbittest

import (
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/dtaskhq/dtask/internal/testenv/rabbitnode"
)

// StartCluster starts nodes that form a cluster. Erlang has a node that is parted
// from one of the others part from all of them; here it does not. A node that hangs
// counts as gone after 15 seconds, not after 60 as by default.
func StartCluster(t testing.TB, n int) []*Node {
	t.Helper()
	o := rabbitnode.Options{Args: "-kernel prevent_overlapping_partitions false -kernel net_ticktime 15"}
	nodes := []*Node{StartNode(t, o)}
	for range n - 1 {
		o.Join = nodes[0].Node
		nodes = append(nodes, StartNode(t, o))
	}
	return nodes
}

// What the network between nodes can do. The nodes do it themselves: they take
// each other's connections for those of strangers.

// Isolate parts a node from others, as a broken switch does. Their clients reach
// all of them.
func (n *Node) Isolate(others ...*Node) {
	n.t.Helper()
	n.setCookies("parted", others)
	for _, o := range others {
		n.Eval(fmt.Sprintf("erlang:disconnect_node('%s')", o.Name()))
	}
	if nodes := n.Eval("nodes()"); nodes != "[]" {
		n.t.Fatalf("the node is not alone: %s", nodes)
	}
}

// Join ends what Isolate has begun, and waits until the nodes have found each other:
// RabbitMQ looks for those that it misses.
func (n *Node) Join(others ...*Node) {
	n.t.Helper()
	n.setCookies("", others)
	for end := time.Now().Add(patience); ; time.Sleep(100 * time.Millisecond) {
		missing := ""
		nodes := n.Eval("nodes()")
		for _, o := range others {
			if !strings.Contains(nodes, o.Name()) {
				missing += " " + o.Name()
			}
		}
		if missing == "" {
			return
		}
		if time.Now().After(end) {
			n.t.Fatalf("the node does not find%s", missing)
		}
	}
}

// setCookies sets what the node expects of others, and shows them; "" is the cookie
// that they have in common.
func (n *Node) setCookies(cookie string, others []*Node) {
	n.t.Helper()
	value := "erlang:get_cookie()"
	if cookie != "" {
		value = "'" + cookie + "'"
	}
	for _, o := range others {
		n.Eval(fmt.Sprintf("erlang:set_cookie('%s', %s)", o.Name(), value))
	}
}

// Suspend stops the process of the node, which keeps its connections.
func (n *Node) Suspend() { n.signal("-STOP") }

// Continue ends Suspend.
func (n *Node) Continue() { n.signal("-CONT") }

func (n *Node) signal(signal string) {
	n.t.Helper()
	pid, err := n.Pid()
	if err == nil {
		err = exec.Command("kill", signal, strconv.Itoa(pid)).Run()
	}
	if err != nil {
		n.t.Fatal(err)
	}
}
