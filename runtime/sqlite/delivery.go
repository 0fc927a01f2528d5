package sqlite

import (
	"database/sql/driver"
	"errors"
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
	s := settlement{delivery: d, verdict: what.Verdict}
	switch {
	case what.Verdict != broker.Done:
		s.record = lastingRecord(&d.message)
		if what.Verdict == broker.Dead {
			s.record[dueColumn] = time.Now().UnixMilli()
		}
	case d.message.Keep > 0:
		s.result = newResult(&d.message, what.Result)
	}
	if len(what.Then) > 0 {
		s.then = insertOf(what.Then)
		if err := errors.Join(s.then.errs...); err != nil {
			d.consumer.log.Error("outcome not stored, for a message that is to follow it is not valid; the task runs again at the cost of an attempt",
				"task", d.message.Task, "id", d.message.ID, "queue", d.consumer.queue, "err", err)
			s = settlement{delivery: d, verdict: lost}
		}
	}
	d.consumer.held.Add(-1)
	d.consumer.settled.Add(1)
	d.consumer.writer.put(func(in *inbox) { in.settlements = append(in.settlements, s) })
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
