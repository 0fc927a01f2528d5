package outbox

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// watchEvery is how often a relay looks for messages that nobody relays.
const watchEvery = time.Minute

// Waiting implements [broker.Outbox].
func (o *Outbox) Waiting(ctx context.Context) (list []broker.Backlog, err error) {
	d, err := o.prepare(ctx, nil)
	if err != nil {
		return nil, err
	}
	found, err := o.db.QueryContext(ctx, d.places)
	if err != nil {
		return nil, err
	}
	var firsts []int64
	for found.Next() {
		var b broker.Backlog
		var first int64
		if err = found.Scan(&b.For, &b.Messages, &first); err != nil {
			break
		}
		list, firsts = append(list, b), append(firsts, first)
	}
	found.Close() // before the next question: there may be one connection
	if err == nil {
		err = found.Err()
	}
	for i, first := range firsts {
		if err == nil {
			err = o.first(ctx, d, first, &list[i])
		}
	}
	return list, err
}

// first completes a backlog by its first message. That may be relayed meanwhile.
func (o *Outbox) first(ctx context.Context, d *dialect, seq int64, b *broker.Backlog) error {
	var text string
	err := o.db.QueryRowContext(ctx, d.first, seq).Scan(&text, &b.Abandoned)
	if err == sql.ErrNoRows {
		return nil
	}
	var m broker.Message
	if json.Unmarshal([]byte(text), &m) == nil { // of a damaged one the log tells
		b.Oldest = m.EnqueuedAt
	}
	b.Abandoned = b.Abandoned && time.Since(b.Oldest) > watchEvery
	return err
}

// watch warns of messages that nobody relays. It believes that at the second look: a
// transaction may have been open for long, and is committed just now.
func (r *relay) watch(ctx context.Context) {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	before := make(map[string]time.Time)
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		list, err := r.Waiting(ctx)
		if err != nil {
			continue // who relays complains
		}
		before = r.warn(list, before)
	}
}

// warn warns of what was abandoned at the last look, and still is. It returns what is
// now, by the oldest message.
func (r *relay) warn(list []broker.Backlog, before map[string]time.Time) (now map[string]time.Time) {
	now = make(map[string]time.Time)
	own := r.place()
	for _, b := range list {
		if !b.Abandoned || b.For == own {
			continue
		}
		now[b.For] = b.Oldest
		if oldest, ok := before[b.For]; ok && oldest.Equal(b.Oldest) {
			r.log.Warn("messages wait in the outbox for a broker that no process relays to; start one with this outbox and that broker, or move them to the broker here",
				"place", b.For, "messages", b.Messages, "oldest", b.Oldest,
				"to_move", fmt.Sprintf("UPDATE dtask_outbox SET place = %s WHERE place = %s", quoted(own), quoted(b.For)))
		}
	}
	return now
}

// quoted returns a string of SQL.
func quoted(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
