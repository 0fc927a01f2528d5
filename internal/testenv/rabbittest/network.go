package rabbittest

import "fmt"

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

// Join ends what Isolate has begun. With RabbitMQ's default
// cluster_partition_handling, ignore, one side has to be restarted then.
func (n *Node) Join(others ...*Node) {
	n.t.Helper()
	n.setCookies("", others)
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
