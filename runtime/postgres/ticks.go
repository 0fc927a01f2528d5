package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/dtaskhq/dtask/runtime/broker"
)

var _ broker.TickStore = (*Broker)(nil)

// LastTick implements [broker.TickStore].
func (b *Broker) LastTick(ctx context.Context, schedule string) (tick time.Time, err error) {
	err = b.call(ctx, func(ctx context.Context, q querier) error {
		tick = time.Time{}
		err := q.QueryRow(ctx, b.in("SELECT tick FROM dtask_schedules WHERE name = $1"), schedule).Scan(&tick)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		return err
	})
	return tick, err
}

const (
	firstTick = "INSERT INTO dtask_schedules (name, tick) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING"
	nextTick  = "UPDATE dtask_schedules SET tick = $2 WHERE name = $1 AND tick = $3"
)

// Tick implements [broker.TickStore]. Times are compared by the millisecond.
func (b *Broker) Tick(ctx context.Context, schedule string, from, to time.Time, m *broker.Message) (ticked bool, err error) {
	var in *insert
	if m != nil {
		if in = newInsert([]*broker.Message{m}); in.errs[0] != nil {
			return false, in.errs[0]
		}
	}
	sql, args := firstTick, []any{schedule, to.Truncate(time.Millisecond)}
	if !from.IsZero() {
		sql, args = nextTick, append(args, from.Truncate(time.Millisecond))
	}
	err = b.transact(ctx, func(ctx context.Context, tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, b.in(sql), args...)
		ticked = err == nil && tag.RowsAffected() > 0
		if !ticked || in == nil {
			return err
		}
		// A message that has the id already is this tick's.
		return b.insert(ctx, tx, in.ms, make([]bool, 1))
	})
	if err != nil {
		return false, err
	}
	if ticked && in != nil {
		b.arrived(in.ms)
	}
	return ticked, nil
}
