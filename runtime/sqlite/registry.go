package sqlite

import (
	"context"
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
)

var _ broker.Registry = (*Broker)(nil)

const (
	announceEvery = 4 * time.Second

	// announced is how long an entry counts after it was renewed.
	announced = 12 * time.Second

	announce = "INSERT INTO dtask_processes (id, seen, entry) VALUES (?, ?, ?)" +
		" ON CONFLICT (id) DO UPDATE SET seen = excluded.seen, entry = excluded.entry"
)

// Announce implements [broker.Registry].
func (b *Broker) Announce(ctx context.Context, p broker.Process) (time.Duration, error) {
	entry, err := json.Marshal(p)
	if err != nil {
		return 0, err
	}
	now := time.Now()
	op := newOperation(func(c *conn) error {
		if _, err := c.exec(announce, p.ID, now.UnixMilli(), string(entry)); err != nil {
			return err
		}
		// One that is later than now was renewed before the clock was set back.
		_, err := c.exec("DELETE FROM dtask_processes WHERE seen < ? OR seen > ?", now.Add(-announced).UnixMilli(), now.Add(announced).UnixMilli())
		return err
	}, nil)
	op.private = true
	return announceEvery, b.writer.await(ctx, op)
}

// Withdraw implements [broker.Registry].
func (b *Broker) Withdraw(ctx context.Context, id string) error {
	op := newOperation(func(c *conn) error {
		_, err := c.exec("DELETE FROM dtask_processes WHERE id = ?", id)
		return err
	}, nil)
	op.private = true
	return b.writer.await(ctx, op)
}

// Processes implements [broker.Registry].
func (b *Broker) Processes(ctx context.Context) (ps []broker.Process, err error) {
	err = b.read(ctx, func(c *conn) error {
		now := time.Now()
		return c.query(func(row []driver.Value) error {
			var p broker.Process
			text, _ := row[0].(string)
			if err := json.Unmarshal([]byte(text), &p); err != nil {
				return fmt.Errorf("an entry of table %s is damaged: %w", inNamespace(b.namespace, "dtask_processes"), err)
			}
			ps = append(ps, p)
			return nil
		}, "SELECT entry FROM dtask_processes WHERE seen >= ? AND seen <= ?", now.Add(-announced).UnixMilli(), now.Add(announced).UnixMilli())
	})
	slices.SortFunc(ps, broker.Process.Compare)
	return ps, err
}
