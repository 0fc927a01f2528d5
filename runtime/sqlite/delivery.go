package sqlite

import (
	"database/sql/driver"
	"fmt"
	"math"
	"sync/atomic"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// delivery is a claimed message. Its row is settled only while it is the
// owner's: a consumer whose messages others have taken goes on under a new id.
type delivery struct {
	consumer *consumer
	seq      int64
	owner    int64 // the consumer's id at the claim
	alone    bool  // in quarantine
	settled  atomic.Bool
	message  broker.Message
	damage   error // what is wrong with the row
	lost     error // what is wrong with its place
}

// readPicked fills the message from the columns that a claim asks for. It
// reports whether they are sound.
func (d *delivery) readPicked(row []driver.Value) bool {
	d.message.Queue = d.consumer.queue
	return readColumns(&d.message, pickedColumns, row) == nil
}

// readWhole fills the message from its whole row.
func (w *writer) readWhole(d *delivery) error {
	return w.conn.query(func(row []driver.Value) error {
		d.damage = d.readRow(row)
		return nil
	}, selectWhole, d.seq)
}

// readRow fills the message from a row of selectWhole.
func (d *delivery) readRow(row []driver.Value) error {
	var bad damage
	crashes, ok := integer(row[0], 0, math.MaxInt32)
	if !ok {
		bad.add("crashes", row[0])
	}
	quarantine, ok := integer(row[1], 0, diedAlone)
	if !ok {
		bad.add("quarantine", row[1])
	}
	m := &d.message
	bad.readColumns(m, everyColumn, row[2:])
	if err := bad.err(); err != nil {
		return err
	}
	d.alone = quarantine > 0
	switch {
	case quarantine == diedAlone:
		m.Attempt = m.Attempts + 1 // the worker moves it to the dead letters
	case crashes > 0:
		m.Attempt = min(m.Attempt+int(crashes), m.Attempts)
	}
	return nil
}

// Message implements [broker.Delivery].
func (d *delivery) Message() *broker.Message { return &d.message }

// Settle implements [broker.Delivery].
func (d *delivery) Settle(what broker.Settlement) {
	if !d.settled.CompareAndSwap(false, true) {
		return
	}
	s := settlement{delivery: d, verdict: what.Verdict, outcome: what.Outcome}
	var err error
	if s.then, err = following(what.Then); err != nil { // it would be so in every attempt
		s.verdict = broker.Dead
		d.fail(err)
	}
	switch {
	case s.verdict == broker.Requeue || s.verdict == broker.Dead:
		s.record = lastingRecord(&d.message)
		if s.verdict == broker.Dead {
			s.record[dueColumn] = time.Now().UnixMilli()
		}
	case s.verdict == broker.Cancelled:
		s.result = d.consumer.writer.cancelledResult(&d.message)
	case d.message.Keep > 0:
		s.result = d.consumer.writer.newResult(&d.message, what.Result)
	}
	d.consumer.held.Add(-1)
	d.consumer.settled.Add(1)
	d.consumer.writer.put(func(in *inbox) { in.settlements = append(in.settlements, s) })
}

// following returns what follows from an outcome, nil if nothing does.
func following(ms []*broker.Message) (*insert, error) {
	if len(ms) == 0 {
		return nil, nil
	}
	in := insertOf(ms)
	for i, err := range in.errs {
		if err != nil {
			return nil, fmt.Errorf("what follows from the task cannot be enqueued: message %.100s: %w", ms[i].ID, err)
		}
	}
	return in, nil
}

// fail makes err the newest failure of the message, and logs it.
func (d *delivery) fail(err error) {
	m := &d.message
	m.Failures = append(m.Failures, broker.Failure{Attempt: m.Attempt, At: time.Now(), Kind: broker.FailureError, Error: err.Error()})
	m.Failures = m.Failures[max(0, len(m.Failures)-broker.MaxFailures):]
	d.consumer.log.Error("task moved to the dead letters", "task", m.Task, "id", m.ID, "queue", m.Queue, "err", err)
}

// lastingRecord returns m as a record, without headers and history if these
// cannot be written.
func lastingRecord(m *broker.Message) *record {
	r, err := newRecord(m, time.Now())
	if err != nil {
		bare := *m
		bare.Headers = nil
		bare.Failures = []broker.Failure{{Attempt: m.Attempt, At: time.Now(), Error: "headers and history lost: " + err.Error()}}
		r, _ = newRecord(&bare, time.Now())
	}
	return &r
}
