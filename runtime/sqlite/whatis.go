package sqlite

import "github.com/dtaskhq/dtask/runtime/broker"

var _ broker.Identified = (*Broker)(nil)

// Identity implements [broker.Identified]. A file has no server and no connections.
func (b *Broker) Identity() broker.Identity {
	return broker.Identity{System: "sqlite", Store: "sqlite:" + b.store}
}
