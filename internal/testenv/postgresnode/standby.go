package postgresnode

import (
	"context"
	"fmt"
	"strings"
)

// Standby makes a server that follows n, read-only until it is promoted. It waits for no
// standby of its own then, whatever n does.
func (n *Node) Standby(ctx context.Context) (*Node, error) {
	return start(ctx, func(s *Node) error {
		if err := s.execute(ctx, "pg_basebackup", "--pgdata", s.data(), "--dbname", n.URL(), "--checkpoint", "fast", "--no-sync", "--write-recovery-conf"); err != nil {
			return err
		}
		return s.set(fmt.Sprintf("port = %d\nsynchronous_standby_names = ''", s.port))
	})
}

// Promote makes a standby the primary, and waits for that. No session of the standby
// could: what is replayed may conflict with it, and ends it.
func (n *Node) Promote(ctx context.Context) error {
	return n.execute(ctx, "pg_ctl", "promote", "--pgdata", n.data())
}

// Either returns the address of whichever of two servers can be written to.
func Either(a, b *Node) string {
	return strings.Replace(a.URL(), a.Addr(), a.Addr()+","+b.Addr(), 1) + "&target_session_attrs=read-write"
}
