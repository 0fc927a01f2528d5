package sqlite

import (
	"context"
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
)

const (
	// keepActs is how long it is kept what operators did, and maxActs how much of it.
	keepActs = 90 * 24 * time.Hour
	maxActs  = 100_000
)

// NoteAct implements [broker.Journal].
func (b *Broker) NoteAct(ctx context.Context, a broker.Act) error {
	entry, err := json.Marshal(a)
	if err != nil {
		return err
	}
	now := b.writer.clock.at(time.Now())
	op := newOperation(func(c *conn) error {
		if _, err := c.exec("INSERT INTO dtask_acts (id, began, entry) VALUES (?, ?, ?) ON CONFLICT (id) DO UPDATE SET entry = excluded.entry",
			a.ID, a.Began.UnixMilli(), string(entry)); err != nil {
			return err
		}
		_, err := c.exec("DELETE FROM dtask_acts WHERE began < ? OR seq <= (SELECT max(seq) FROM dtask_acts) - ?", now.Add(-keepActs).UnixMilli(), int64(maxActs))
		return err
	}, nil)
	op.private = true
	return b.writer.await(ctx, op)
}

// Acts implements [broker.Journal].
func (b *Broker) Acts(ctx context.Context, since time.Time) (acts []broker.Act, err error) {
	err = b.read(ctx, func(c *conn) error {
		return c.query(func(row []driver.Value) error {
			var a broker.Act
			text, _ := row[0].(string)
			if err := json.Unmarshal([]byte(text), &a); err != nil {
				return fmt.Errorf("an entry of table %s is damaged: %w", inNamespace(b.namespace, "dtask_acts"), err)
			}
			acts = append(acts, a)
			return nil
		}, "SELECT entry FROM dtask_acts WHERE began >= ? ORDER BY began, seq", since.UnixMilli())
	})
	return acts, err
}
