package postgres

import (
	"context"
	"net"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/dtaskhq/dtask/runtime/broker"
)

var _ broker.Identified = (*Broker)(nil)

// Identity implements [broker.Identified]. Of several servers it names the one that was
// connected to last. The pool connects and disconnects as it likes: those connections
// are counted that last, on which the process listens.
func (b *Broker) Identity() broker.Identity {
	i := broker.Identity{System: "postgresql", Store: "postgresql:" + b.place.store, Connections: b.listener.connections.Load()}
	c := b.target.pool.ConnConfig
	if !severalHosts(c) {
		i.Host = c.Host
		if !strings.HasPrefix(c.Host, "/") { // the directory of a socket
			i.Port = int(c.Port)
		}
		return i
	}
	if address := b.server.Load(); address != nil {
		host, port, _ := net.SplitHostPort(*address)
		i.Host = host
		i.Port, _ = strconv.Atoi(port)
	}
	return i
}

// noteServer notes the server of a new connection of the pool.
func (b *Broker) noteServer(_ context.Context, c *pgx.Conn) error {
	address := c.PgConn().Conn().RemoteAddr().String()
	b.server.Store(&address)
	return nil
}
