package sqlite

import (
	"fmt"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// transact puts the inbox and the claims into one transaction.
func (w *writer) transact() {
	// The inbox is emptied only with the lock in hand: who gives up waiting
	// for the lock takes his message back.
	if err := w.begin(durable, lockPatience); err != nil {
		w.complain(err)
		if isBusy(err) {
			w.retryLater() // the callers wait on, until their contexts end
			return
		}
		w.refuse(w.take(), explain(w.file, err))
		return
	}
	now := time.Now()
	w.noticeCommits(now)
	in, err := w.fill(now)
	if err == nil {
		_, err = w.conn.exec("COMMIT")
	}
	if err != nil {
		w.conn.exec("ROLLBACK")
		w.dropBatches()
		w.readControls() // not what the transaction had begun to change
		if w.judge(err) {
			w.refuse(in, w.failure())
			return
		}
		w.salvage(in)
		return
	}
	if len(in.inserts) > 0 {
		if err := w.identity.checkNamed(); err != nil {
			w.fail(explain(w.file, err))
			w.refuse(in, fmt.Errorf("%w (%w)", broker.ErrUnknownOutcome, w.failure()))
			return
		}
	}
	w.committed(nil)
	w.setTrouble(nil)
	w.retryAt = time.Time{}
	w.vacuumDue = true
	w.liveness.maintained(now)
	w.waiters.changed()
	w.expected = len(in.inserts) + w.waiting()
	w.answer(&in)
	w.deliverBatches()
	w.operated(in.operations...)
}

// apply executes what was in the inbox. An error means that the transaction is
// lost; what is a single message's fault is in its insert.
func (w *writer) apply(in *inbox, now time.Time) (err error) {
	if err := w.settleAll(in.settlements); err != nil {
		return err
	}
	w.storing = w.storing[:0]
	for _, r := range in.inserts {
		w.storing = r.appendTo(w.storing)
	}
	if err := w.store(w.storing, true, now); err != nil {
		return err
	}
	clear(w.storing)
	for _, op := range in.operations {
		if op.err, err = w.operate(op.do); err != nil {
			return err
		}
	}
	return nil
}

// answer tells the callers what has become of their messages and operations.
func (w *writer) answer(in *inbox) {
	for _, r := range in.inserts {
		close(r.done)
	}
	for _, op := range in.operations {
		w.answerOne(op)
	}
}

// onlyClaim claims for the consumers. A claim need not survive the loss of
// power, with which the consumer is lost as well: nobody waits for the disk.
func (w *writer) onlyClaim() {
	if err := w.alone(volatile, lockPatience, func() error {
		now := time.Now()
		w.noticeCommits(now)
		if w.liveness.forgotten {
			return nil // first it registers again
		}
		return w.claim(now)
	}); err != nil {
		w.complain(err)
		w.dropBatches()
		w.retryLater()
		return
	}
	w.setTrouble(nil)
	w.vacuumDue = true
	w.deliverBatches()
}

// alone runs f in a transaction of its own.
func (w *writer) alone(d durability, patience time.Duration, f func() error) error {
	if err := w.begin(d, patience); err != nil {
		return err
	}
	err := f()
	if err == nil {
		_, err = w.conn.exec("COMMIT")
	}
	if err != nil {
		w.conn.exec("ROLLBACK")
	}
	return err
}

func (w *writer) deliverBatches() {
	for _, c := range w.consumers {
		c.deliver()
	}
}

// dropBatches forgets the claims of a transaction that failed.
func (w *writer) dropBatches() {
	w.dropSuspect()
	for _, c := range w.consumers {
		c.batch = c.batch[:0]
		c.dueAt = [classes]time.Time{}
	}
}
