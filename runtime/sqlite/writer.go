package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	dtask "github.com/dtaskhq/dtask/runtime"
)

// writer is the one goroutine of a broker that writes. Callers leave what they
// want in the inbox; each turn puts all of it, and the claims of the consumers,
// into one transaction (group commit), and answers once that is on disk.
type writer struct {
	file string
	conn *conn // synchronous = FULL at first

	mu      sync.Mutex
	inbox   inbox
	trouble error // why no transaction begins; nil if one does
	watch   watch
	rang    atomic.Bool   // another process has written, or is about to
	wake    chan struct{} // 1: something is in the inbox, or there is a new watcher
	done    chan struct{} // closed when the goroutine has ended

	// The rest belongs to the goroutine.
	consumers   []*consumer
	process     process
	bell        *bell
	dataVersion int64                // of the last look at the file
	lastActive  time.Time            // when something last happened
	othersAt    time.Time            // when another connection last committed
	retryAt     time.Time            // no transaction before, after one that failed
	expecting   time.Time            // until when to look, since the bell has rung
	quarantined map[string]*consumer // who runs a message of the queue alone
	args        []driver.Value       // reused
	storing     []storing            // reused
	durability  durability           // of the connection
	untidy      bool                 // written since the last tidying up
	lastInserts int                  // how many callers the last transaction answered
	closeErr    error
}

// inbox is what waits for the next transaction.
type inbox struct {
	settlements []settlement
	inserts     []*insert
	operations  []*operation
	closing     bool
	closed      bool
}

func (in *inbox) empty() bool {
	return len(in.settlements) == 0 && len(in.inserts) == 0 && len(in.operations) == 0 && !in.closing
}

// insert is one or more messages to be stored.
type insert struct {
	records []record
	errs    []error       // the outcome of each
	done    chan struct{} // closed when errs is final
}

func (r *insert) appendTo(list []storing) []storing {
	for i := range r.records {
		list = append(list, storing{record: &r.records[i], err: &r.errs[i]})
	}
	return list
}

// operation is something else to be done in a transaction. It leaves no trace
// if it fails.
type operation struct {
	do   func(*conn) error
	then func() // by the writer, once it is durable; may be nil
	err  error
	done chan struct{}
}

// newWriter returns a writer on c, which it owns.
func newWriter(file string, c *conn) *writer {
	c.script("PRAGMA busy_timeout = 0") // begin waits in its own way
	return &writer{
		file:        file,
		conn:        c,
		wake:        make(chan struct{}, 1),
		done:        make(chan struct{}),
		quarantined: make(map[string]*consumer),
		durability:  durable,
	}
}

// wakeUp makes the writer look at the inbox and the consumers.
func (w *writer) wakeUp() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// put adds to the inbox. It returns [dtask.ErrClosed] once the writer takes
// nothing more.
func (w *writer) put(add func(*inbox)) error {
	w.mu.Lock()
	if w.inbox.closed {
		w.mu.Unlock()
		return dtask.ErrClosed
	}
	add(&w.inbox)
	w.mu.Unlock()
	w.wakeUp()
	return nil
}

// take empties the inbox.
func (w *writer) take() inbox {
	w.mu.Lock()
	defer w.mu.Unlock()
	in := w.inbox
	w.inbox = inbox{closing: in.closing, closed: in.closing}
	return in
}

// do runs f in a transaction, and then if that succeeded, and waits until all
// is durable, or ctx ends.
func (w *writer) do(ctx context.Context, f func(*conn) error, then func()) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	op := &operation{do: f, then: then, done: make(chan struct{})}
	if err := w.put(func(in *inbox) { in.operations = append(in.operations, op) }); err != nil {
		return err
	}
	select {
	case <-op.done:
		return op.err
	case <-ctx.Done():
		return w.gaveUp(ctx)
	}
}

// close makes what is in the inbox durable and ends the goroutine.
func (w *writer) close() error {
	w.put(func(in *inbox) { in.closing = true })
	<-w.done
	return w.closeErr
}

func (w *writer) isClosing() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.inbox.closing
}

// setTrouble notes why no transaction begins, nil if one does.
func (w *writer) setTrouble(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.trouble = err
}

// gaveUp returns the error of one who did not wait for his transaction.
func (w *writer) gaveUp(ctx context.Context) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.trouble != nil {
		return fmt.Errorf("%w: %w", ctx.Err(), w.trouble)
	}
	return ctx.Err()
}

// run is the goroutine.
func (w *writer) run() {
	defer close(w.done)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-w.wake:
		case <-timer.C:
		}
		if w.turn(time.Now()) {
			w.closeErr = w.finish()
			return
		}
		timer.Reset(w.pause(time.Now()))
	}
}

// turn does what there is to do. It reports whether the writer is to end.
func (w *writer) turn(now time.Time) (end bool) {
	w.mu.Lock()
	idle := w.inbox.empty()
	w.mu.Unlock()
	w.lookOutside(now, idle)
	if w.isClosing() {
		w.transact(now)
		return true
	}
	if now.Before(w.retryAt) {
		return false
	}
	for _, c := range w.consumers {
		c.shedHoard(now)
	}
	if !idle || w.process.needsTransaction(now) {
		w.transact(now)
		w.lastActive = now
	} else if w.canClaim(now) {
		w.onlyClaim(now)
		w.lastActive = now
	} else if w.untidy && now.Sub(w.lastActive) > tidyAfter {
		w.tidy()
	}
	return false
}

// lookOutside notices processes that have died and, if nothing else is to do
// that includes it, what other connections have committed.
func (w *writer) lookOutside(now time.Time, idle bool) {
	if len(w.consumers) == 0 && !w.watch.active() {
		return
	}
	if w.rang.Swap(false) {
		w.lastActive, w.expecting = now, now.Add(expectFor)
	}
	w.process.lookForDead(w.conn, now)
	if idle {
		w.noticeCommits(now)
	}
}

// noticeCommits looks whether another connection has committed something.
func (w *writer) noticeCommits(now time.Time) {
	version, err := w.conn.int("PRAGMA data_version")
	if err != nil || version == w.dataVersion {
		return
	}
	w.dataVersion = version
	w.lastActive, w.othersAt, w.expecting = now, now, time.Time{}
	w.watch.changed()
	w.lookAgain()
	w.readPaused()
	w.process.noticeForgotten(w)
}

// readPaused notes which queues are paused. What their consumers fetched ahead
// goes back.
func (w *writer) readPaused() {
	for _, c := range w.consumers {
		paused, err := w.conn.int("SELECT paused FROM dtask_queues WHERE name = ?", c.queue)
		if err != nil {
			return
		}
		if c.paused = paused != 0; c.paused {
			c.shed(0)
		}
	}
}

// How often the writer looks for the commits of other processes. A look costs
// about 10 µs.
const (
	busyPause   = time.Millisecond       // while something happens
	busyFor     = 100 * time.Millisecond // and that long after
	idlePause   = 4 * time.Millisecond   // else, where no bell rings
	belledPause = 200 * time.Millisecond // where one does
	expectFor   = 2 * time.Second        // how long a commit may take after the bell
)

// pause returns how long the writer may sleep if nobody wakes it.
func (w *writer) pause(now time.Time) time.Duration {
	w.mu.Lock()
	idle := w.inbox.empty()
	w.mu.Unlock()
	if wait := w.retryAt.Sub(now); wait > 0 || !idle {
		return max(wait, 0)
	}
	if len(w.consumers) == 0 && !w.watch.active() {
		if w.untidy {
			return tidyAfter
		}
		return time.Hour
	}
	pause := busyPause
	if now.Sub(w.lastActive) > busyFor {
		pause = idlePause
		if now.After(w.expecting) {
			pause = w.restPause()
		}
	}
	for _, c := range w.consumers {
		for class := range classes {
			if c.room() > 0 && !w.skips(c, class) {
				pause = min(pause, max(c.dueAt[class].Sub(now), 0))
			}
		}
	}
	return pause
}

// The lock of the file goes to whoever asks when it is free: SQLite has no
// queue for it. Its own way to wait, with pauses that grow to 100 ms, leaves a
// process that asks now and then no chance against one that always does. So
// the writers ask often, and a writer that has company lets the others go
// first.
const (
	lockTrouble   = 100 * time.Millisecond // from when on a wait is nothing usual
	lockPatience  = 5 * time.Second        // how long one call of begin waits
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

// begin begins a transaction that writes.
func (w *writer) begin(d durability) error {
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
		switch waited := time.Since(start); {
		case err == nil:
			w.setTrouble(nil)
			return nil
		case !isBusy(err):
			return err
		case waited > lockPatience:
			slog.Warn("a database is locked; nothing is stored until the other program ends its transaction", "file", w.file, "waited", waited)
			return err
		case waited > lockTrouble:
			w.setTrouble(explain(w.file, err))
		}
		time.Sleep(wait)
	}
}

// gather gives the callers that the last transaction has answered the chance to
// come again before the next one begins. Else they would fall into two groups
// that wait for each other's sync.
func (w *writer) gather() {
	for range 3 {
		w.mu.Lock()
		waiting := len(w.inbox.inserts)
		w.mu.Unlock()
		if waiting >= w.lastInserts {
			return
		}
		runtime.Gosched()
	}
}

// restPause returns how long an idle writer may sleep.
func (w *writer) restPause() time.Duration {
	if w.bell == nil {
		w.bell = newBell(w.file, func() { w.rang.Store(true); w.wakeUp() })
	}
	switch news, ok := w.bell.arm(); {
	case !ok:
		return idlePause
	case news:
		return 0 // something may have been written just before
	}
	return belledPause
}

// transact puts the inbox and the claims into one transaction.
func (w *writer) transact(now time.Time) {
	w.gather()
	// The inbox is emptied only with the lock in hand: who gives up waiting
	// for the lock takes his message back.
	if err := w.begin(durable); err != nil {
		if isBusy(err) && !w.isClosing() {
			w.retryLater() // the callers wait on, until their contexts end
			return
		}
		w.refuse(w.take(), err)
		return
	}
	w.noticeCommits(now)
	in := w.take()
	w.lastInserts = len(in.inserts)
	err := w.apply(&in, now)
	if err == nil {
		_, err = w.conn.exec("COMMIT")
	}
	if err != nil {
		w.conn.exec("ROLLBACK")
		w.dropBatches()
		w.salvage(in)
		return
	}
	w.retryAt = time.Time{}
	w.untidy = true
	w.process.maintained(now)
	w.watch.changed()
	in.answer()
	w.deliverBatches()
	if len(in.operations) > 0 {
		w.lookAgain()
		w.readPaused()
	}
}

// onlyClaim claims for the consumers. A claim need not survive the loss of
// power, with which the consumer is lost as well: nobody waits for the disk.
func (w *writer) onlyClaim(now time.Time) {
	if err := w.alone(volatile, func() error {
		w.noticeCommits(now)
		if w.process.forgotten {
			return nil // first it registers again
		}
		return w.claim(now)
	}); err != nil {
		w.dropBatches()
		w.retryLater()
		return
	}
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

// apply executes the inbox and the claims. An error means that the transaction
// is lost; what is a single message's fault is in its insert.
func (w *writer) apply(in *inbox, now time.Time) (err error) {
	if err := w.process.maintain(w, now); err != nil {
		return err
	}
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
	return w.claim(now)
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
	return failed, lost
}

// answer tells the callers that the transaction is durable.
func (in *inbox) answer() {
	for _, r := range in.inserts {
		close(r.done)
	}
	for _, op := range in.operations {
		if op.err == nil && op.then != nil {
			op.then()
		}
		close(op.done)
	}
}

// retryPause is how long the writer waits after a transaction that failed.
const retryPause = 100 * time.Millisecond

func (w *writer) retryLater() { w.retryAt = time.Now().Add(retryPause) }

// refuse answers a whole inbox with an error. Settlements are kept: they are
// tried again until they are durable.
func (w *writer) refuse(in inbox, err error) {
	err = explain(w.file, err)
	for _, r := range in.inserts {
		for i := range r.errs {
			r.errs[i] = err
		}
	}
	for _, op := range in.operations {
		op.err = err
	}
	in.answer()
	w.keep(in.settlements)
}

// keep puts settlements back, to be tried again.
func (w *writer) keep(s []settlement) {
	w.retryLater()
	w.mu.Lock()
	w.inbox.settlements = append(s, w.inbox.settlements...)
	w.mu.Unlock()
}

// salvage does what a failed transaction was to do, each part in a transaction
// of its own: what one message is to blame for, such as the last of the disk,
// is not to fail the others. Operations come after the outcomes of tasks, or
// not at all: a consumer must not give up a message whose outcome is known.
func (w *writer) salvage(in inbox) {
	var unsettled []settlement
	var err error
	for i := range in.settlements {
		if e := w.alone(durable, func() error { return w.settle(&in.settlements[i]) }); e != nil {
			unsettled, err = append(unsettled, in.settlements[i]), e
		}
		if isBusy(err) {
			in.settlements = append(unsettled, in.settlements[i+1:]...)
			w.refuse(in, err)
			return
		}
	}
	w.keep(unsettled)
	for _, r := range in.inserts {
		for _, m := range r.appendTo(nil) {
			if err := w.alone(durable, func() error { return w.store([]storing{m}, false, time.Now()) }); err != nil {
				*m.err = explain(w.file, err)
			}
		}
	}
	for _, op := range in.operations {
		if op.err = explain(w.file, err); err != nil {
			continue
		}
		if err := w.alone(durable, func() (err error) {
			op.err, err = w.operate(op.do)
			return err
		}); err != nil {
			op.err = explain(w.file, err)
		}
	}
	in.answer()
}

// alone runs f in a transaction of its own.
func (w *writer) alone(d durability, f func() error) error {
	if err := w.begin(d); err != nil {
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

// finish gives up what consumers still hold and closes the file.
func (w *writer) finish() error {
	w.mu.Lock()
	lost := len(w.inbox.settlements)
	w.mu.Unlock()
	var err error
	if lost > 0 {
		err = errors.New("outcomes of tasks could not be stored; these tasks will run again")
	}
	for _, c := range w.consumers {
		c.Stop()
		err = errors.Join(err, w.alone(durable, func() error { return giveUp(w.conn, c.id) }))
	}
	w.process.leave()
	w.bell.close()
	return errors.Join(err, w.conn.close())
}
