package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/dtaskhq/dtask/runtime/broker"
)

var _ broker.Journal = (*Broker)(nil)

const (
	noteEvery = 4 * time.Second

	// maxTallies is how many rows the journal has at most: the oldest minutes go first.
	// 25 tasks that run in every minute reach it after a week.
	maxTallies = 250_000

	// forgottenPerNote is how many rows that are too old one batch deletes at most.
	// That is more than it adds.
	forgottenPerNote = 2 * broker.MaxBatch

	// countTalliesEvery is how often they are counted.
	countTalliesEvery = 10 * time.Minute
)

const (
	enterSerial = "INSERT INTO dtask_journal_serials AS s (process, serial) VALUES ($1, $2)" +
		" ON CONFLICT (process) DO UPDATE SET serial = excluded.serial, seen = excluded.seen WHERE excluded.serial > s.serial"
	tallyKeys    = " unnest($1::timestamptz[], $2::text[], $3::text[]"
	selectTally  = "SELECT j.entry FROM" + tallyKeys + ") AS k (minute, queue, task) JOIN dtask_journal j USING (minute, queue, task)"
	storeTallies = "INSERT INTO dtask_journal (minute, queue, task, entry) SELECT * FROM" + tallyKeys + ", $4::text[])" +
		" ON CONFLICT (minute, queue, task) DO UPDATE SET entry = excluded.entry"

	// A batch that is handed in again is known for a day.
	forgetSerials = "DELETE FROM dtask_journal_serials WHERE seen < statement_timestamp() - interval '1 day'"
	forgetTallies = "DELETE FROM dtask_journal WHERE (minute, queue, task) IN (SELECT minute, queue, task FROM dtask_journal" +
		" WHERE minute < greatest(statement_timestamp() - $1 * interval '1 millisecond', $2) ORDER BY minute LIMIT $3)"

	// selectFirst has the minute of the oldest row that is to stay.
	selectFirst   = "SELECT coalesce((SELECT minute FROM dtask_journal ORDER BY minute DESC LIMIT 1 OFFSET $1), 'epoch')"
	selectTallies = "SELECT entry FROM dtask_journal WHERE minute >= $1"
)

// journal is when this process last counted the rows of the journal, and found out of
// which minute the oldest one is that is to stay, in Unix seconds.
type journal struct{ counted, first atomic.Int64 }

// Note implements [broker.Journal]. Processes wait for each other: none of them loses
// what another one adds to the same minute.
func (b *Broker) Note(ctx context.Context, batch broker.Batch) (time.Duration, error) {
	first, err := b.firstMinute(ctx)
	if err != nil {
		return 0, err
	}
	return noteEvery, b.transact(ctx, func(ctx context.Context, tx pgx.Tx) error {
		if err := b.alone(ctx, tx, "journal"); err != nil {
			return err
		}
		tag, err := tx.Exec(ctx, b.in(enterSerial), batch.Process, batch.Serial)
		if err != nil || tag.RowsAffected() == 0 {
			return err
		}
		if err := b.addTallies(ctx, tx, batch.Tallies); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, b.in(forgetSerials)); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, b.in(forgetTallies), batch.Keep.Milliseconds(), first, forgottenPerNote)
		return err
	})
}

// A tallyKey is what a row of the journal is of.
type tallyKey struct {
	minute      int64 // in Unix microseconds
	queue, task string
}

func keyOf(t *broker.Tally) tallyKey { return tallyKey{t.Minute.UnixMicro(), t.Queue, t.Task} }

// addTallies adds to what the journal has.
func (b *Broker) addTallies(ctx context.Context, tx pgx.Tx, ts []broker.Tally) error {
	sums := make(map[tallyKey]*broker.Tally)
	var minutes []time.Time
	var queues, tasks, entries []string
	for i := range ts {
		k := keyOf(&ts[i])
		if sum := sums[k]; sum != nil {
			sum.Add(&ts[i])
			continue
		}
		first := ts[i]
		first.Failures = slices.Clone(first.Failures)
		sums[k] = &first
		minutes, queues, tasks = append(minutes, first.Minute), append(queues, first.Queue), append(tasks, first.Task)
	}
	r, err := tx.Query(ctx, b.in(selectTally), minutes, queues, tasks)
	if err := readTallies(r, err, func(before broker.Tally, err error) error {
		if sum := sums[keyOf(&before)]; err == nil && sum != nil { // one that is damaged is replaced
			before.Add(sum)
			*sum = before
		}
		return nil
	}); err != nil {
		return err
	}
	for i := range minutes {
		entry, err := json.Marshal(sums[tallyKey{minutes[i].UnixMicro(), queues[i], tasks[i]}])
		if err != nil {
			return err
		}
		entries = append(entries, string(entry))
	}
	_, err = tx.Exec(ctx, b.in(storeTallies), minutes, queues, tasks, entries)
	return err
}

// readTallies calls f with each entry of the journal, and what is wrong with it.
func readTallies(r pgx.Rows, err error, f func(t broker.Tally, err error) error) error {
	return rows(r, err, func(r pgx.Rows) error {
		var entry string
		var t broker.Tally
		if err := r.Scan(&entry); err != nil {
			return err
		}
		err := json.Unmarshal([]byte(entry), &t)
		return f(t, err)
	})
}

// firstMinute returns, if the journal has too many rows, the minute of the oldest one
// that is to stay. It looks seldom, as it reads all of them.
func (b *Broker) firstMinute(ctx context.Context) (first time.Time, err error) {
	j, now := &b.journal, time.Now().Unix()
	last := j.counted.Load()
	if now-last < int64(countTalliesEvery/time.Second) || !j.counted.CompareAndSwap(last, now) {
		return time.Unix(j.first.Load(), 0), nil
	}
	err = b.call(ctx, func(ctx context.Context, q querier) error {
		return q.QueryRow(ctx, b.in(selectFirst), maxTallies).Scan(&first)
	})
	if err == nil {
		j.first.Store(first.Unix())
	}
	return first, err
}

// Tallies implements [broker.Journal].
func (b *Broker) Tallies(ctx context.Context, since time.Time) (ts []broker.Tally, err error) {
	err = b.call(ctx, func(ctx context.Context, q querier) error {
		ts = nil
		r, err := q.Query(ctx, b.in(selectTallies), since)
		return readTallies(r, err, func(t broker.Tally, err error) error {
			if err != nil {
				return fmt.Errorf("an entry of table %s is damaged: %w", b.table("journal"), err)
			}
			ts = append(ts, t)
			return nil
		})
	})
	slices.SortFunc(ts, func(a, b broker.Tally) int { return a.Compare(&b) })
	return ts, err
}
