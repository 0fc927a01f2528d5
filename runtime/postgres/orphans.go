package postgres

import (
	"context"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/dtaskhq/dtask/runtime/broker"
)

var _ broker.Overseer = (*Broker)(nil)

// Orphans implements [broker.Overseer]. A consumer whose process has died counts
// until another process has noticed.
func (b *Broker) Orphans(ctx context.Context) ([]broker.QueueState, error) {
	states, err := b.Queues(ctx)
	if err != nil {
		return nil, err
	}
	consumed := make(map[string]bool)
	err = b.call(ctx, func(ctx context.Context, q querier) error {
		r, err := q.Query(ctx, b.in("SELECT DISTINCT queue FROM dtask_consumers"))
		return rows(r, err, func(r pgx.Rows) error {
			var queue string
			err := r.Scan(&queue)
			consumed[queue] = true
			return err
		})
	})
	return slices.DeleteFunc(states, func(s broker.QueueState) bool {
		return s.Paused || s.Ready+s.Delayed == 0 || consumed[s.Queue]
	}), err
}
