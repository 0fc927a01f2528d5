package outbox

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
)

const (
	// batch is how many messages go to the broker at once.
	batch = 500

	// claimFor is how long a process has its batch for itself. If it dies, others
	// take the batch after that.
	claimFor = 15 * time.Second

	// patience is how long a batch may take: less than it is claimed for.
	patience = 10 * time.Second

	// retryAfter is when a message is tried again that the broker did not take.
	retryAfter = time.Second

	// leastPause is how soon a process looks again after something was written, and
	// mostPause how soon if nothing happens. A commit is seen within twice the time
	// that the transaction took, or within mostPause in another process.
	leastPause = 5 * time.Millisecond
	mostPause  = time.Second

	// complainEvery is how often the log says that messages cannot be relayed.
	complainEvery = time.Minute
)

// A relay moves messages from an outbox to a broker.
type relay struct {
	*Outbox
	broker  broker.Broker
	log     *slog.Logger
	wake    chan struct{} // 1: a row may have been written
	cancel  context.CancelFunc
	running sync.WaitGroup

	complainedAt time.Time // of run alone
}

// Stop implements [broker.Relay].
func (r *relay) Stop() { r.cancel(); r.running.Wait() }

func (r *relay) run(ctx context.Context) {
	pause := leastPause
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.wake:
			pause = leastPause
		case <-timer.C:
		}
		n, err := r.relay(ctx)
		if err != nil && ctx.Err() == nil {
			r.complain(err)
		}
		switch {
		case n == batch:
			pause = 0 // there is more
		case n > 0:
			pause = leastPause
		default:
			pause = min(max(2*pause, leastPause), mostPause)
		}
		timer.Reset(pause)
	}
}

// A row is a message in the outbox.
type row struct {
	seq     int64
	message broker.Message
}

// relay moves a batch. It returns how many messages the broker has confirmed.
func (r *relay) relay(ctx context.Context) (confirmed int, err error) {
	d, err := r.prepare(ctx, nil)
	if err != nil {
		return 0, err
	}
	rows, err := r.claim(ctx, d)
	if err != nil || len(rows) == 0 {
		return 0, err
	}
	ms := make([]*broker.Message, len(rows))
	for i := range rows {
		ms[i] = &rows[i].message
	}
	// What is claimed is settled also while the process ends.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	var there, refused []any
	for i, e := range r.broker.EnqueueMany(ctx, ms) {
		if e == nil || errors.Is(e, broker.ErrDuplicate) {
			there = append(there, rows[i].seq)
			continue
		}
		refused = append(refused, rows[i].seq)
		err = fmt.Errorf("task %s on queue %q: %w", ms[i].Task, ms[i].Queue, e)
	}
	settle, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	return len(there), errors.Join(r.each(settle, d, d.forget, there), err, r.each(settle, d, d.retry, refused))
}

// claim takes the oldest messages for the broker that nobody has, for a while.
func (r *relay) claim(ctx context.Context, d *dialect) (rows []row, err error) {
	place := r.place()
	var pending int // most of the time there is none: writing would lock SQLite
	if err := r.db.QueryRowContext(ctx, d.pending, place).Scan(&pending); err != nil || pending == 0 {
		return nil, err
	}
	found, err := r.db.QueryContext(ctx, d.claim, place)
	if err != nil {
		return nil, err
	}
	defer found.Close()
	for found.Next() {
		var one row
		var text string
		if err := found.Scan(&one.seq, &text); err != nil {
			return nil, err
		}
		if err := json.Unmarshal([]byte(text), &one.message); err != nil {
			r.complain(fmt.Errorf("row %d of dtask_outbox is damaged and stays there: %w", one.seq, err))
			continue
		}
		rows = append(rows, one)
	}
	slices.SortFunc(rows, func(a, b row) int { return cmp.Compare(a.seq, b.seq) })
	return rows, found.Err()
}

// each runs a statement for the rows with the given numbers.
func (r *relay) each(ctx context.Context, d *dialect, statement string, seqs []any) error {
	if len(seqs) == 0 {
		return nil
	}
	_, err := r.db.ExecContext(ctx, fmt.Sprintf(statement, d.params(len(seqs))), seqs...)
	return err
}

func (r *relay) complain(err error) {
	if now := time.Now(); now.Sub(r.complainedAt) >= complainEvery {
		r.complainedAt = now
		r.log.Warn("messages wait in the outbox; trying again", "err", err)
	}
}
