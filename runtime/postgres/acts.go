package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/dtaskhq/dtask/runtime/broker"
)

const (
	// It is kept for 90 days what operators did, and maxActs of it at most.
	maxActs = 100_000

	keepAct    = "INSERT INTO dtask_acts (id, began, entry) VALUES ($1, $2, $3) ON CONFLICT (id) DO UPDATE SET entry = excluded.entry"
	forgetActs = "DELETE FROM dtask_acts WHERE began < statement_timestamp() - interval '90 days' OR seq <= (SELECT max(seq) FROM dtask_acts) - $1"
	selectActs = "SELECT entry FROM dtask_acts WHERE began >= $1 ORDER BY began, seq"
)

// NoteAct implements [broker.Journal].
func (b *Broker) NoteAct(ctx context.Context, a broker.Act) error {
	entry, err := json.Marshal(a)
	if err != nil {
		return err
	}
	return b.transact(ctx, func(ctx context.Context, tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, b.in(keepAct), a.ID, a.Began, string(entry)); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, b.in(forgetActs), int64(maxActs))
		return err
	})
}

// Acts implements [broker.Journal].
func (b *Broker) Acts(ctx context.Context, since time.Time) (acts []broker.Act, err error) {
	err = b.call(ctx, func(ctx context.Context, q querier) error {
		acts = nil
		r, err := q.Query(ctx, b.in(selectActs), since)
		return rows(r, err, func(r pgx.Rows) error {
			var entry string
			var a broker.Act
			if err := r.Scan(&entry); err != nil {
				return err
			}
			if err := json.Unmarshal([]byte(entry), &a); err != nil {
				return fmt.Errorf("an entry of table %s is damaged: %w", b.table("acts"), err)
			}
			acts = append(acts, a)
			return nil
		})
	})
	return acts, err
}
