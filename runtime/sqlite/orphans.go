package sqlite

import (
	"context"
	"database/sql/driver"
	"slices"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// Orphans implements [broker.Overseer]. A consumer whose process has died counts
// until another process has noticed.
func (b *Broker) Orphans(ctx context.Context) ([]broker.QueueState, error) {
	states, err := b.Queues(ctx)
	if err != nil {
		return nil, err
	}
	consumed := make(map[string]bool)
	if err := b.read(ctx, func(c *conn) error {
		return c.query(func(row []driver.Value) error {
			consumed[row[0].(string)] = true
			return nil
		}, "SELECT DISTINCT queue FROM dtask_consumers")
	}); err != nil {
		return nil, err
	}
	return slices.DeleteFunc(states, func(s broker.QueueState) bool {
		return s.Paused || s.Ready+s.Delayed == 0 || consumed[s.Queue]
	}), nil
}
