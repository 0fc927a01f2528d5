package postgres

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/dtaskhq/dtask/runtime/broker"
)

var _ broker.Admin = (*Broker)(nil)

const countQueues = "SELECT q.name, p.name IS NOT NULL, p.ends, 0::bigint, 0::bigint, 0::bigint, 0::bigint FROM dtask_queues q" +
	" LEFT JOIN dtask_pauses p ON p.what = 'queue' AND p.name = q.name AND " + inForce + " UNION ALL" +
	" SELECT queue, false, NULL," +
	" count(*) FILTER (WHERE state = 0 AND (quarantine > 0 OR due <= statement_timestamp()))," +
	" count(*) FILTER (WHERE state = 1)," +
	" count(*) FILTER (WHERE state = 0 AND quarantine = 0 AND due > statement_timestamp())," +
	" count(*) FILTER (WHERE state = 2)" +
	" FROM dtask_messages GROUP BY queue"

// Queues implements [broker.Admin].
func (b *Broker) Queues(ctx context.Context) (list []broker.QueueState, err error) {
	states := make(map[string]broker.QueueState)
	err = b.call(ctx, func(ctx context.Context, q querier) error {
		clear(states)
		r, err := q.Query(ctx, b.in(countQueues))
		return rows(r, err, func(r pgx.Rows) error {
			var s broker.QueueState
			var ends *time.Time
			if err := r.Scan(&s.Queue, &s.Paused, &ends, &s.Ready, &s.Running, &s.Delayed, &s.Dead); err != nil {
				return err
			}
			if ends != nil {
				s.PausedUntil = *ends
			}
			if known := states[s.Queue]; known.Paused { // the row of the pause comes first
				s.Paused, s.PausedUntil = true, known.PausedUntil
			}
			states[s.Queue] = s
			return nil
		})
	})
	if err != nil {
		return nil, err
	}
	return slices.SortedFunc(maps.Values(states), func(a, b broker.QueueState) int { return cmp.Compare(a.Queue, b.Queue) }), nil
}

// anyDue asks whether a message of any class is due.
var anyDue = func() string {
	var parts []string
	for _, where := range waits {
		parts = append(parts, "EXISTS (SELECT FROM dtask_messages WHERE "+where+" AND due <= statement_timestamp())")
	}
	return "SELECT " + strings.Join(parts, " OR ")
}()

// Due implements [broker.Admin]. What this process has claimed is due until it is
// delivered: who drains a queue would take it for empty.
func (b *Broker) Due(ctx context.Context, queue string) (due bool, err error) {
	err = b.call(ctx, func(ctx context.Context, q querier) error {
		return q.QueryRow(ctx, b.in(anyDue), queue).Scan(&due)
	})
	return due || b.claimer.fetches(queue), err
}
