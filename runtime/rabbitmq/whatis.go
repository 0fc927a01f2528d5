package rabbitmq

import (
	"fmt"
	"net"
	"net/url"
	"strconv"

	"github.com/dtaskhq/dtask/runtime/broker"
)

var _ broker.Identified = (*Broker)(nil)

// Identity implements [broker.Identified].
func (b *Broker) Identity() broker.Identity {
	id := broker.Identity{System: "rabbitmq", Store: b.store()}
	for _, l := range []*link{b.publishing, b.consuming, b.scheduling, b.recording, b.waiting} {
		id.Connections += l.opened.Load()
	}
	if s := b.publishing.current.Load(); s != nil {
		host, port, err := net.SplitHostPort(s.host)
		if err == nil {
			id.Host = host
			id.Port, _ = strconv.Atoi(port) // a number, as the connection was opened
		}
	}
	return id
}

// store names the place of the messages by what the server says of itself: hosts have
// many names, a cluster has one.
func (b *Broker) store() string {
	return fmt.Sprintf("rabbitmq://%s/%s?namespace=%s", *b.publishing.cluster.Load(), url.PathEscape(b.config.vhost), b.topology.namespace)
}
