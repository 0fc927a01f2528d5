package postgres

import (
	"encoding/json"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// delivery is a claimed message. Its row is settled only while it is the claim's.
type delivery struct {
	consumer *consumer
	seq      int64
	owner    int64 // the consumer's id at the claim
	claim    int32
	due      time.Time
	alone    bool // in quarantine
	settled  atomic.Bool
	message  broker.Message
	damage   error // what is wrong with the row
}

// read fills the message from a row of claimedColumns.
func (d *delivery) read(r pgx.Rows) error {
	var crashes int
	var quarantine int16
	m := &d.message
	targets := append(make([]any, 0, 4+len(columns)), &d.seq, &d.claim, &crashes, &quarantine)
	for i := range columns {
		t := columns[i].target(m)
		if j, ok := t.(readingJSON); ok { // others may have written something else
			t = tolerant{j, &d.damage, columns[i].name}
		}
		if read, ok := t.(readingTime); ok && columns[i].name == "due" {
			t = readingTime(func(due time.Time) { d.due = due; read(due) })
		}
		targets = append(targets, t)
	}
	if err := r.Scan(targets...); err != nil {
		return err
	}
	d.alone = quarantine > 0
	switch {
	case quarantine == diedAlone:
		m.Attempt = m.Attempts + 1 // the worker moves it to the dead letters
	case crashes > 0:
		m.Attempt = min(m.Attempt+crashes, m.Attempts)
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
	s := &settlement{delivery: d, verdict: what.Verdict, outcome: what.Outcome}
	if len(what.Then) > 0 {
		then := newInsert(what.Then)
		if err := then.invalid(); err != nil { // it would be so in every attempt
			s.verdict = broker.Dead
			d.fail(fmt.Errorf("what follows from the task cannot be enqueued: %w", err))
		} else {
			s.then = then.ms
		}
	}
	switch {
	case s.verdict == broker.Cancelled:
		s.keeps = d.message.Keep > 0
	case s.verdict != broker.Done:
		s.again = lasting(&d.message)
	case d.message.Keep > 0:
		s.keeps, s.result = true, what.Result
	}
	d.consumer.settled.Add(1)
	d.consumer.b.settler.put(s)
}

// fail makes err the newest failure of the message, and logs it.
func (d *delivery) fail(err error) {
	m := &d.message
	m.Failures = append(m.Failures, broker.Failure{Attempt: m.Attempt, At: time.Now(), Kind: broker.FailureError, Error: err.Error()})
	m.Failures = m.Failures[max(0, len(m.Failures)-broker.MaxFailures):]
	d.consumer.log.Error("task moved to the dead letters", "task", m.Task, "id", m.ID, "queue", m.Queue, "err", err)
}

// lasting returns a copy of m that can be stored, without history if that cannot.
func lasting(m *broker.Message) *broker.Message {
	kept := *m
	if _, err := json.Marshal(m.Failures); err != nil { // a time beyond the year 9999
		kept.Failures = []broker.Failure{{Attempt: m.Attempt, At: time.Now(), Error: "history lost: " + err.Error()}}
	}
	return &kept
}

// tolerant reads JSON, and notes what is wrong with it.
type tolerant struct {
	readingJSON
	damage *error
	column string
}

func (t tolerant) ScanText(v pgtype.Text) error {
	if err := t.readingJSON.ScanText(v); err != nil {
		*t.damage = fmt.Errorf("the stored message is damaged: %s is %.40q", t.column, v.String)
	}
	return nil
}
