package sqlite

import (
	"database/sql/driver"
	"errors"
	"log/slog"
	"strings"
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
}

// readPlain fills the message from a row of a claim, after seq, if the message
// is sound and all of it is there.
func (d *delivery) readPlain(row []driver.Value) bool {
	if plain, ok := row[9].(int64); !ok || plain == 0 {
		return false
	}
	r, m := reader{row: row}, &d.message
	m.Queue = d.consumer.queue
	m.NotBefore = r.time("due")
	m.ID = r.text("id")
	m.Task = r.text("task")
	m.Body = r.bytes("body")
	m.Schema = r.text("schema")
	m.Priority = r.priority()
	m.Attempt = r.count("attempt", 1)
	m.Attempts = r.count("attempts", 1)
	m.EnqueuedAt = r.time("enqueued_at")
	if !m.NotBefore.After(m.EnqueuedAt) {
		m.NotBefore = time.Time{}
	}
	return len(r.bad) == 0
}

// read fills the message from its whole row.
func (d *delivery) read(row []driver.Value) error {
	r, m := reader{row: row}, &d.message
	crashes, quarantine := r.count("crashes", 0), r.integer("quarantine", 0, diedAlone)
	r.message(m)
	if err := r.err(); err != nil {
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
			d.consumer.log.Error("the outcome of a task is not stored, for a message that is to follow cannot be; the task runs again, and the attempt counts",
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

// settlement is the outcome of a delivery on its way to the file.
type settlement struct {
	delivery *delivery
	verdict  broker.Verdict
	record   *record // Requeue, Dead: the message as it is to be stored
	result   *result // Done: what is to be kept, or nil
	then     *insert // what follows, or nil
}

// Verdicts that workers do not give.
const (
	released broker.Verdict = -iota // nobody has received the message
	lost                            // what follows from the outcome cannot be stored
)

const fence = " WHERE seq = ? AND owner = ?"

const (
	settleDone     = "DELETE FROM dtask_messages" + fence
	settleReleased = "UPDATE dtask_messages SET state = 0, owner = NULL" + fence
	settleLost     = setCrashed + fence

	storeAgain = "UPDATE dtask_messages SET (" + changeable + ") = (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?), " +
		"owner = NULL, crashes = 0, quarantine = 0, "
	settleRequeue = storeAgain + "state = 0" + fence
	settleDead    = storeAgain + "state = 2" + fence
)

// deleteDone are statements that delete so many messages of one owner.
var deleteDone = chunkSQL(func(n int) string {
	return "DELETE FROM dtask_messages WHERE seq IN (" + strings.Repeat("?, ", n-1) + "?) AND owner = ?"
})

// settleAll applies outcomes, those that only delete many at a time.
func (w *writer) settleAll(ss []settlement) error {
	for len(ss) > 0 {
		n := 0
		for n < min(len(ss), chunks[0]) && ss[n].deletes() && ss[n].delivery.owner == ss[0].delivery.owner {
			n++
		}
		if n < 2 {
			if err := w.settle(&ss[0]); err != nil {
				return err
			}
			ss = ss[1:]
			continue
		}
		n = chunkOf(n)
		args := w.args[:0]
		for i := range ss[:n] {
			args = append(args, ss[i].delivery.seq)
		}
		w.args = append(args, ss[0].delivery.owner)
		if _, err := w.conn.exec(deleteDone[n], w.args...); err != nil {
			return err
		}
		ss = ss[n:]
	}
	return nil
}

// deletes reports whether all that the outcome does is to delete the message.
func (s *settlement) deletes() bool {
	return s.verdict == broker.Done && s.result == nil && s.then == nil && !s.delivery.alone
}

// settle applies an outcome, and stores what follows from it. If the claim no
// longer stands none of it has an effect. What follows may be there already: a
// message of the same id is taken for the same.
func (w *writer) settle(s *settlement) error {
	d := s.delivery
	if d.alone && w.quarantined[d.consumer.queue] == d.consumer {
		delete(w.quarantined, d.consumer.queue)
	}
	sql := settleDone
	switch s.verdict {
	case released:
		sql = settleReleased
		w.lookAgain()
	case lost:
		sql = settleLost
		w.lookAgain()
	case broker.Requeue:
		sql = settleRequeue
		w.arrived(s.record)
	case broker.Dead:
		sql = settleDead
	}
	args := w.args[:0]
	if s.record != nil {
		args = append(args, s.record[1:]...)
	}
	w.args = append(args, d.seq, d.owner)
	n, err := w.conn.exec(sql, w.args...)
	if err != nil || n == 0 {
		return err
	}
	if s.result != nil {
		if err := w.keepResult(s.result); err != nil {
			return err
		}
	}
	if s.then != nil {
		return w.store(s.then.appendTo(nil), false, time.Now())
	}
	return nil
}

// damagedRow is a row that cannot be read; message is what could be.
type damagedRow struct {
	seq     int64
	message *broker.Message
	err     error
}

// setDead moves rows that cannot be read to the dead letters.
func (w *writer) setDead(rows []damagedRow, now time.Time, log *slog.Logger) error {
	for _, d := range rows {
		log.Error("a message is damaged: to the dead letters", "queue", d.message.Queue, "id", d.message.ID, "err", d.err)
		failures, err := jsonText(append(d.message.Failures,
			broker.Failure{Attempt: d.message.Attempt, At: now, Kind: broker.FailureUndecodable, Error: d.err.Error()}))
		if err != nil {
			return err
		}
		if _, err := w.conn.exec("UPDATE dtask_messages SET state = 2, due = ?, owner = NULL, failures = ? WHERE seq = ?",
			now.UnixMilli(), failures, d.seq); err != nil {
			return err
		}
	}
	return nil
}
