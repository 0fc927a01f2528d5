package postgres

import (
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/dtaskhq/dtask/runtime/broker"
)

var _ broker.Keeper = (*Broker)(nil)

// Schedules implements [broker.Keeper].
func (b *Broker) Schedules(ctx context.Context) (all []broker.Ticked, err error) {
	err = b.call(ctx, func(ctx context.Context, q querier) error {
		all = nil
		r, err := q.Query(ctx, b.in("SELECT name, tick FROM dtask_schedules"))
		return rows(r, err, func(r pgx.Rows) error {
			var t broker.Ticked
			err := r.Scan(&t.Schedule, &t.Last)
			t.Last = t.Last.Local()
			all = append(all, t)
			return err
		})
	})
	slices.SortFunc(all, func(a, b broker.Ticked) int { return cmp.Compare(a.Schedule, b.Schedule) })
	return all, err
}

// KeptResults implements [broker.Keeper]. It reads every value: PostgreSQL ends a
// statement at the first one that is no JSON.
func (b *Broker) KeptResults(ctx context.Context) (all []broker.ResultCount, err error) {
	counts := make(map[broker.ResultCount]int)
	err = b.call(ctx, func(ctx context.Context, q querier) error {
		clear(counts)
		r, err := q.Query(ctx, b.in("SELECT task, value FROM dtask_results WHERE expires > statement_timestamp()"))
		return rows(r, err, func(r pgx.Rows) error {
			var kind broker.ResultCount
			var value []byte
			err := r.Scan(&kind.Task, &value)
			kind.Schema = schemaOf(value)
			counts[kind]++
			return err
		})
	})
	if err != nil {
		return nil, err
	}
	for kind, n := range maps.All(counts) {
		kind.Results = n
		all = append(all, kind)
	}
	slices.SortFunc(all, func(a, b broker.ResultCount) int {
		return cmp.Or(cmp.Compare(a.Task, b.Task), cmp.Compare(a.Schema, b.Schema))
	})
	return all, nil
}

// schemaOf returns the fingerprint in the value of a result, or nothing if it has none.
func schemaOf(value []byte) string {
	var kept struct {
		Schema string `json:"schema"`
	}
	if json.Unmarshal(value, &kept) != nil {
		return ""
	}
	return kept.Schema
}
