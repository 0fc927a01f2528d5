package sqlite

import (
	"runtime"
	"slices"
	"time"
)

// The lock of the file goes to whoever asks when it is free: SQLite has no
// queue for it. Its own way to wait, with pauses that grow to 100 ms, leaves a
// process that asks now and then no chance against one that always does. So
// the writers ask often, and a writer that has company lets the others go
// first.
const (
	lockTrouble   = 100 * time.Millisecond // from when on a wait is nothing usual
	lockPatience  = 5 * time.Second        // how long one call of begin waits, at most
	firstLockWait = 100 * time.Microsecond // between two tries; doubles
	lastLockWait  = 2 * time.Millisecond
	courtesy      = 200 * time.Microsecond // what the others get to go first
	companyFor    = 100 * time.Millisecond // how long a commit of another one counts as company
)

// durability is what a commit survives.
type durability string

const (
	durable  durability = "FULL"   // the loss of power
	volatile durability = "NORMAL" // the end of the process, however it ends
)

// begin begins a transaction that writes. It waits for the lock no longer than
// the patience.
func (w *writer) begin(d durability, patience time.Duration) error {
	if d != w.durability {
		if err := w.conn.script("PRAGMA synchronous = " + string(d)); err != nil {
			return err
		}
		w.durability = d
	}
	w.bell.disarm()
	start := time.Now()
	if start.Sub(w.othersAt) < companyFor {
		time.Sleep(courtesy)
	}
	for wait := firstLockWait; ; wait = min(2*wait, lastLockWait) {
		_, err := w.conn.exec("BEGIN IMMEDIATE")
		if err != nil && !isBusy(err) {
			return err
		}
		waited := time.Since(start)
		if waited > lockTrouble {
			w.setTrouble(explain(w.file, err))
		}
		if err == nil || waited > patience {
			return err
		}
		time.Sleep(wait)
	}
}

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
		w.salvage(in)
		return
	}
	w.setTrouble(nil)
	w.retryAt = time.Time{}
	w.untidy = true
	w.process.maintained(now)
	w.watch.changed()
	w.expected = len(in.inserts) + w.waiting()
	w.answer(&in)
	w.deliverBatches()
	if len(in.operations) > 0 {
		w.operated()
	}
}

// operated takes over what an operation may have changed.
func (w *writer) operated() {
	w.lookAgain()
	w.readPaused()
}

// onlyClaim claims for the consumers. A claim need not survive the loss of
// power, with which the consumer is lost as well: nobody waits for the disk.
func (w *writer) onlyClaim() {
	if err := w.alone(volatile, lockPatience, func() error {
		now := time.Now()
		w.noticeCommits(now)
		if w.process.forgotten {
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
	w.untidy = true
	w.deliverBatches()
}

func (w *writer) deliverBatches() {
	for _, c := range w.consumers {
		c.deliver()
	}
}

// dropBatches forgets the claims of a transaction that failed.
func (w *writer) dropBatches() {
	for _, c := range w.consumers {
		c.batch = c.batch[:0]
		c.dueAt = [classes]time.Time{}
	}
	clear(w.quarantined) // in the worst case two run alone
}

// How fill waits for callers, with the lock in hand.
const (
	yields    = 3                // how often it lets others run when nothing has come
	longYield = time.Millisecond // others make much of it: the last one
)

// fill executes the inbox and the claims. The callers that the last transaction
// has answered are about to come again: what they bring is executed as it comes,
// in the same transaction. Else they would fall into two groups that wait for
// each other's sync. An error means that the transaction is lost.
func (w *writer) fill(now time.Time) (all inbox, err error) {
	if err := w.process.maintain(w, now); err != nil {
		w.complain(err)
		return w.take(), err
	}
	for idle := 0; ; {
		in := w.take()
		all.add(&in)
		if err := w.apply(&in, time.Now()); err != nil {
			return all, err
		}
		if len(all.inserts) >= w.expected || idle == yields {
			if err := w.claim(time.Now()); err != nil {
				w.complain(err)
				return all, err
			}
			return all, nil
		}
		if w.waiting() > 0 {
			continue
		}
		idle++
		paused := time.Now()
		runtime.Gosched()
		if time.Since(paused) > longYield {
			idle = yields
		}
	}
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

// operate runs an operation so that it leaves no trace if it fails.
func (w *writer) operate(do func(*conn) error) (failed, lost error) {
	if _, err := w.conn.exec("SAVEPOINT operation"); err != nil {
		return nil, err
	}
	failed = do(w.conn)
	if failed != nil {
		if _, err := w.conn.exec("ROLLBACK TO operation"); err != nil {
			return nil, failed // SQLite has rolled back everything by itself
		}
	}
	_, lost = w.conn.exec("RELEASE operation")
	return explain(w.file, failed), lost
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

func (w *writer) answerOne(op *operation) {
	switch {
	case op.err != nil && op.lasting:
		again := newOperation(op.do, op.then)
		again.lasting = true
		w.putBack(inbox{operations: []*operation{again}})
	case op.err == nil && op.then != nil:
		op.then()
	}
	close(op.done)
}

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
	w.answer(&in)
	w.putBack(inbox{settlements: in.settlements})
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
	in.add(&w.inbox)
	in.closing, in.closed = w.inbox.closing, w.inbox.closed
	w.inbox = in
}

// salvage does what a failed transaction was to do, each part in a transaction
// of its own: what one message is to blame for, such as the last of the disk,
// is not to fail the others. What is left goes back to the inbox: outcomes that
// could not be stored and, if the file is locked by now, the rest, which its
// callers can take back there.
func (w *writer) salvage(in inbox) {
	failed := w.settleSingly(&in)
	w.watch.changed()
	if !isBusy(failed) && w.storeSingly(&in) {
		w.operateSingly(&in, failed)
	}
	w.putBack(in)
}

// settleSingly leaves the outcomes that cannot be stored, and says why.
func (w *writer) settleSingly(in *inbox) (failed error) {
	all := in.settlements
	in.settlements = nil
	for i := range all {
		err := w.alone(durable, lockTrouble, func() error { return w.settle(&all[i]) })
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
		w.operated()
	}
}

// complainEvery is how often the writer says that something is still wrong.
const complainEvery = 10 * time.Second

// complain notes why something is not stored or not claimed, and logs it: it is
// tried again and again, and those who wait for it may be told nothing.
func (w *writer) complain(err error) {
	err = explain(w.file, err)
	w.setTrouble(err)
	if now := time.Now(); now.Sub(w.complainedAt) > complainEvery {
		w.complainedAt = now
		w.log.Error("tasks or their outcomes wait until the database can be used; trying again", "err", err)
	}
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
