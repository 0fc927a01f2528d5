package sqlite

import (
	"slices"
	"time"
)

// retryPause is how long the writer waits after a transaction that failed.
const retryPause = 100 * time.Millisecond

func (w *writer) retryLater() { w.retryAt = time.Now().Add(retryPause) }

// refuse answers a whole inbox with an error. Settlements are kept: they are
// tried again until they are durable.
func (w *writer) refuse(in inbox, err error) {
	for _, r := range in.inserts {
		r.fail(err)
	}
	for _, op := range in.operations {
		op.err = err
	}
	w.putBack(inbox{settlements: in.settlements}) // before Close asks what is not stored
	w.answer(&in)
}

// putBack puts what is to be tried again in front of the inbox, except messages
// whose callers have given up.
func (w *writer) putBack(in inbox) {
	w.retryLater()
	w.mu.Lock()
	defer w.mu.Unlock()
	in.inserts = slices.DeleteFunc(in.inserts, func(r *insert) bool {
		if r.gaveUp != nil {
			r.fail(r.gaveUp)
			close(r.done)
		}
		return r.gaveUp != nil
	})
	w.committing = nil
	in.add(&w.inbox)
	in.closing, in.closed = w.inbox.closing, w.inbox.closed
	w.inbox = in
}

// salvage does what a failed transaction was to do, each part in a transaction
// of its own: a message that does not fit on the disk must not make others fail.
// What is left goes back to the inbox. That is the outcomes that could not be
// stored and, if the file is locked by now, the rest, so that its callers can
// take it back.
func (w *writer) salvage(in inbox) {
	failed := w.settleSingly(&in)
	w.committed(in.settlements)
	w.waiters.changed()
	if !isBusy(failed) && w.storeSingly(&in) {
		w.operateSingly(&in, failed)
	}
	w.putBack(in)
}

// settleSingly leaves the outcomes that cannot be stored in the inbox, and returns
// why the last of them could not.
func (w *writer) settleSingly(in *inbox) (failed error) {
	all := in.settlements
	in.settlements = nil
	for i := range all {
		err := w.alone(durable, lockTrouble, func() error {
			w.noticeCommits(time.Now())
			return w.settle(&all[i])
		})
		if isBusy(err) {
			in.settlements = append(in.settlements, all[i:]...)
			return err
		}
		if err != nil {
			in.settlements, failed = append(in.settlements, all[i]), err
			w.complain(err)
		}
	}
	return failed
}

// storeSingly reports whether it has got through: if not, the file is locked.
func (w *writer) storeSingly(in *inbox) bool {
	for ; len(in.inserts) > 0; in.inserts = in.inserts[1:] {
		r := in.inserts[0]
		for _, m := range r.appendTo(nil) {
			err := w.alone(durable, lockTrouble, func() error { return w.store([]storing{m}, false, time.Now()) })
			if isBusy(err) {
				return false
			}
			if err != nil {
				*m.err = explain(w.file, err)
			}
			r.known = m.at + 1
		}
		close(r.done)
	}
	return true
}

// operateSingly executes operations unless outcomes have failed: a consumer
// must not give up a message whose outcome is known.
func (w *writer) operateSingly(in *inbox, failed error) {
	for ; len(in.operations) > 0; in.operations = in.operations[1:] {
		op, err := in.operations[0], failed
		if err == nil {
			err = w.alone(durable, lockTrouble, func() (err error) {
				op.err, err = w.operate(op.do)
				return err
			})
		}
		if isBusy(err) {
			return
		}
		if err != nil {
			op.err = explain(w.file, err)
		}
		w.answerOne(op)
		w.operated(op)
	}
}
