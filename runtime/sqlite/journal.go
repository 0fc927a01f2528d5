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

var _ broker.Journal = (*Broker)(nil)

const (
	noteEvery = 4 * time.Second

	// maxTallies is how many rows the journal has at most, some 75 MB: the oldest
	// minutes go first. 25 tasks that run in every minute reach it after a week.
	maxTallies = 250_000

	// forgottenPerNote is how many rows that are too old one batch deletes at most.
	// That is more than it adds.
	forgottenPerNote = 2 * broker.MaxBatch

	// countTalliesEvery is how often they are counted.
	countTalliesEvery = 10 * time.Minute

	// talliesAtOnce is how many are read at a time.
	talliesAtOnce = 2000

	// rememberSerials is how long a batch that is handed in again is known.
	rememberSerials = 24 * time.Hour
)

const (
	enterSerial = "INSERT INTO dtask_serials (process, serial, seen) VALUES (?, ?, ?)" +
		" ON CONFLICT (process) DO UPDATE SET serial = excluded.serial, seen = excluded.seen WHERE excluded.serial > serial"
	selectTally = "SELECT entry FROM dtask_journal WHERE minute = ? AND queue = ? AND task = ?"
	storeTally  = "INSERT OR REPLACE INTO dtask_journal (minute, queue, task, entry) VALUES (?, ?, ?, ?)"

	forgetTallies = "DELETE FROM dtask_journal WHERE (minute, queue, task) IN" +
		" (SELECT minute, queue, task FROM dtask_journal WHERE minute < ? LIMIT ?)"
	selectTallies = "SELECT minute, queue, task, entry FROM dtask_journal WHERE (minute, queue, task) > (?, ?, ?) ORDER BY minute, queue, task LIMIT ?"
)

// Note implements [broker.Journal].
func (b *Broker) Note(ctx context.Context, batch broker.Batch) (time.Duration, error) {
	now := b.writer.clock.at(time.Now())
	oldest := now.Add(-batch.Keep)
	if full, err := b.journalFull(ctx, now); err != nil {
		return 0, err
	} else if full.After(oldest) {
		oldest = full
	}
	op := newOperation(func(c *conn) error {
		fresh, err := c.exec(enterSerial, batch.Process, batch.Serial, now.UnixMilli())
		if err != nil || fresh == 0 {
			return err
		}
		for i := range batch.Tallies {
			if err := addTally(c, &batch.Tallies[i]); err != nil {
				return err
			}
		}
		if _, err := c.exec("DELETE FROM dtask_serials WHERE seen < ?", now.Add(-rememberSerials).UnixMilli()); err != nil {
			return err
		}
		_, err = c.exec(forgetTallies, oldest.UnixMilli(), int64(forgottenPerNote))
		return err
	}, nil)
	op.private = true
	return noteEvery, b.writer.await(ctx, op)
}

// addTally adds to what the journal has. Only the writer does: nobody is in between.
func addTally(c *conn, t *broker.Tally) error {
	key := []driver.Value{t.Minute.UnixMilli(), t.Queue, t.Task}
	sum := *t
	if err := c.query(func(row []driver.Value) error {
		before, ok := readTally(row[0])
		if ok { // one that is damaged is replaced
			before.Add(t)
			sum = before
		}
		return nil
	}, selectTally, key...); err != nil {
		return err
	}
	entry, err := json.Marshal(&sum)
	if err != nil {
		return err
	}
	_, err = c.exec(storeTally, append(key, string(entry))...)
	return err
}

func readTally(v driver.Value) (t broker.Tally, ok bool) {
	text, _ := v.(string)
	return t, json.Unmarshal([]byte(text), &t) == nil
}

// journalFull returns, if the journal has too many rows, the minute of the oldest one
// that is to stay, or else the zero time. It looks seldom, as it reads all of them.
func (b *Broker) journalFull(ctx context.Context, now time.Time) (oldest time.Time, err error) {
	last := b.journalCounted.Load()
	if now.Unix()-last < int64(countTalliesEvery/time.Second) || !b.journalCounted.CompareAndSwap(last, now.Unix()) {
		return time.UnixMilli(b.journalOldest.Load()), nil
	}
	err = b.read(ctx, func(c *conn) error {
		ms, err := c.int("SELECT minute FROM dtask_journal ORDER BY minute DESC, queue DESC, task DESC LIMIT 1 OFFSET ?", int64(maxTallies))
		b.journalOldest.Store(ms)
		return err
	})
	return time.UnixMilli(b.journalOldest.Load()), err
}

// Tallies implements [broker.Journal]. It reads some at a time, so that pages of messages
// come in between.
func (b *Broker) Tallies(ctx context.Context, since time.Time) (ts []broker.Tally, err error) {
	after := []driver.Value{since.UnixMilli(), "", ""} // no queue has an empty name
	for {
		var entries []driver.Value
		if err := b.readOn(ctx, &b.pages, func(c *conn) error {
			return c.query(func(row []driver.Value) error {
				after = slices.Clone(row[:3])
				entries = append(entries, row[3])
				return nil
			}, selectTallies, append(after, int64(talliesAtOnce))...)
		}); err != nil {
			return nil, err
		}
		for _, entry := range entries {
			t, ok := readTally(entry)
			if !ok {
				return nil, fmt.Errorf("an entry of table %s is damaged", inNamespace(b.namespace, "dtask_journal"))
			}
			ts = append(ts, t)
		}
		if len(entries) < talliesAtOnce {
			return ts, nil
		}
	}
}
