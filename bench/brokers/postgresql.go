package brokers

import (
	"context"
	"errors"

	"github.com/dtaskhq/dtask/internal/testenv/postgresnode"
)

// postgreSQLServer has the settings of a new installation: fsync, and commits
// that wait for it.
var postgreSQLServer = &server{"PostgreSQL", func(ctx context.Context, _ string) (string, func(), error) {
	node, err := postgresnode.Start(ctx, postgresnode.Options{Durable: true})
	if errors.Is(err, postgresnode.ErrNotInstalled) {
		return "", nil, errNotInstalled
	}
	if err != nil {
		return "", nil, err
	}
	return node.URL(), node.Stop, nil
}}
