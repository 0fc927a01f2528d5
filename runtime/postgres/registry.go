package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/dtaskhq/dtask/runtime/broker"
)

var _ broker.Registry = (*Broker)(nil)

const (
	announceEvery = 4 * time.Second

	// announced is how long an entry counts after it was renewed.
	announced = 12 * time.Second
)

// Announce implements [broker.Registry].
func (b *Broker) Announce(ctx context.Context, p broker.Process) (time.Duration, error) {
	entry, err := json.Marshal(p)
	if err != nil {
		return 0, err
	}
	return announceEvery, b.call(ctx, func(ctx context.Context, q querier) error {
		_, err := q.Exec(ctx, b.in("INSERT INTO dtask_processes (id, seen, entry) VALUES ($1, clock_timestamp(), $2)"+
			" ON CONFLICT (id) DO UPDATE SET seen = excluded.seen, entry = excluded.entry"), p.ID, string(entry))
		return err
	})
}

// Withdraw implements [broker.Registry].
func (b *Broker) Withdraw(ctx context.Context, id string) error {
	return b.call(ctx, func(ctx context.Context, q querier) error {
		_, err := q.Exec(ctx, b.in("DELETE FROM dtask_processes WHERE id = $1"), id)
		return err
	})
}

// Processes implements [broker.Registry].
func (b *Broker) Processes(ctx context.Context) (ps []broker.Process, err error) {
	err = b.call(ctx, func(ctx context.Context, q querier) error {
		ps = nil
		r, err := q.Query(ctx, b.in("SELECT entry FROM dtask_processes WHERE seen >= clock_timestamp() - $1 * interval '1 millisecond'"), announced.Milliseconds())
		return rows(r, err, func(r pgx.Rows) error {
			var entry string
			var p broker.Process
			if err := r.Scan(&entry); err != nil {
				return err
			}
			if err := json.Unmarshal([]byte(entry), &p); err != nil {
				return fmt.Errorf("an entry of table %s is damaged: %w", b.table("processes"), err)
			}
			ps = append(ps, p)
			return nil
		})
	})
	slices.SortFunc(ps, broker.Process.Compare)
	return ps, err
}
