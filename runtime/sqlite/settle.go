package sqlite

import (
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// settlement is the outcome of a delivery on its way to the file.
type settlement struct {
	delivery *delivery
	verdict  broker.Verdict
	outcome  string  // the worker's word
	record   *record // Requeue, Dead: the message as it is to be stored
	result   *result // Done: what is to be kept, or nil
	then     *insert // what follows, or nil
}

// released is the verdict on a message that nobody has received.
const released broker.Verdict = 0

// whileOwned lets an outcome count only while the claim stands.
const whileOwned = " WHERE seq = ? AND owner = ?"

const (
	settleDone     = "DELETE FROM dtask_messages" + whileOwned
	settleReleased = "UPDATE dtask_messages SET state = 0, owner = NULL" + whileOwned
)

// The id of a message, the first column, never changes.
var (
	storeAgain = "UPDATE dtask_messages SET (" + namesOf(everyColumn[1:]) + ") = (" + placeholders(len(columns)-1) + "), " +
		"owner = NULL, crashes = 0, quarantine = 0, "
	settleRequeue = storeAgain + "state = 0" + whileOwned
	settleDead    = storeAgain + "state = 2" + whileOwned
)

// deleteDone are statements that delete so many messages of one owner.
var deleteDone = chunkSQL(func(n int) string {
	return "DELETE FROM dtask_messages WHERE seq IN (" + placeholders(n) + ") AND owner = ?"
})

// settleAll applies outcomes, those that only delete many at a time.
func (w *writer) settleAll(ss []settlement) error {
	for len(ss) > 0 {
		n := 0
		for n < min(len(ss), chunks[0]) && ss[n].deletes() && !w.marked.has(ss[n].delivery) && ss[n].delivery.owner == ss[0].delivery.owner {
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
// longer stands, none of it has an effect. A message that follows and whose id is
// there already is taken for the same.
func (w *writer) settle(s *settlement) error {
	d := s.delivery
	w.leaveGate(d)
	if w.marked.has(d) {
		ended := *s // it stays as it is, should this transaction be lost
		s = &ended
		if err := w.endOne(s); err != nil {
			return err
		}
	}
	sql := settleDone // Cancelled, too
	switch s.verdict {
	case released:
		sql = settleReleased
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
