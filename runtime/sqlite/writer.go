package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// writer is the one goroutine of a broker that writes. Callers leave what they
// want in the inbox; each turn puts all of it, and the claims of the consumers,
// into one transaction (group commit), and answers once that is on disk.
type writer struct {
	target
	log  *slog.Logger
	conn *conn // synchronous = FULL at first

	mu      sync.Mutex
	inbox   inbox
	trouble error // why not everything is stored; nil if it is
	watch   watch
	rang    atomic.Bool   // another process has written, or is about to
	wake    chan struct{} // 1: something is in the inbox, or there is a new watcher
	done    chan struct{} // closed when the goroutine has ended

	// The rest belongs to the goroutine.
	consumers    []*consumer
	process      process
	bell         *bell
	dataVersion  int64                // of the last look at the file
	lastActive   time.Time            // when something last happened
	othersAt     time.Time            // when another connection last committed
	retryAt      time.Time            // no transaction before, after one that failed
	complainedAt time.Time            // when the log last had what is wrong
	expecting    time.Time            // until when to look, since the bell has rung
	quarantined  map[string]*consumer // who runs a message of the queue alone
	args         []driver.Value       // reused
	storing      []storing            // reused
	durability   durability           // of the connection
	untidy       bool                 // written since the last tidying up
	expected     int                  // how many callers the next transaction is to answer
	closeErr     error
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

// add adds what is in another one.
func (in *inbox) add(other *inbox) {
	in.settlements = append(in.settlements, other.settlements...)
	in.inserts = append(in.inserts, other.inserts...)
	in.operations = append(in.operations, other.operations...)
}

// insert is one or more messages to be stored.
type insert struct {
	records []record
	errs    []error       // the outcome of each
	known   int           // how many outcomes are final, from the first
	gaveUp  error         // why the caller waits no longer than he must; under the writer's mu
	done    chan struct{} // closed when all are
}

// newInsert returns an insert of n messages.
func newInsert(n int) *insert {
	if n == 1 { // nearly always: in one piece
		one := &struct {
			insert
			record [1]record
			err    [1]error
		}{}
		one.records, one.errs, one.done = one.record[:], one.err[:], make(chan struct{})
		return &one.insert
	}
	return &insert{records: make([]record, n), errs: make([]error, n), done: make(chan struct{})}
}

// appendTo appends the messages whose outcome is not known.
func (r *insert) appendTo(list []storing) []storing {
	for i := r.known; i < len(r.records); i++ {
		if r.records[i].valid() {
			list = append(list, storing{record: &r.records[i], err: &r.errs[i], at: i})
		}
	}
	return list
}

// fail makes err the outcome of the messages that have none, and returns all.
func (r *insert) fail(err error) []error {
	for i := r.known; i < len(r.records); i++ {
		if r.records[i].valid() {
			r.errs[i] = err
		}
	}
	return r.errs
}

// operation is something else to be done in a transaction. It leaves no trace
// if it fails.
type operation struct {
	do      func(*conn) error
	then    func() // by the writer, once it is durable; may be nil
	lasting bool   // if it fails it is tried again, though the caller was told
	err     error
	done    chan struct{}
}

func newOperation(do func(*conn) error, then func()) *operation {
	return &operation{do: do, then: then, done: make(chan struct{})}
}

// newWriter returns a writer on c, which it owns.
func newWriter(t target, c *conn, log *slog.Logger) *writer {
	c.script("PRAGMA busy_timeout = 0") // begin waits in its own way
	return &writer{
		target:      t,
		log:         log,
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

// put adds to the inbox. It returns [broker.ErrClosed] once the writer takes
// nothing more.
func (w *writer) put(add func(*inbox)) error {
	w.mu.Lock()
	if w.inbox.closed {
		w.mu.Unlock()
		return broker.ErrClosed
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

// waiting returns how many callers wait with messages to be stored.
func (w *writer) waiting() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.inbox.inserts)
}

// do runs f in a transaction, and waits until that is durable, or ctx ends.
func (w *writer) do(ctx context.Context, f func(*conn) error) error {
	return w.await(ctx, newOperation(f, nil))
}

// await hands in an operation, unless ctx has ended, and waits until it is
// durable, or ctx ends.
func (w *writer) await(ctx context.Context, op *operation) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return w.handIn(ctx, op)
}

// handIn hands in an operation in any case, and waits until it is durable, or
// ctx ends.
func (w *writer) handIn(ctx context.Context, op *operation) error {
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

// setTrouble notes why not everything is stored, nil if it is.
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
		return true
	}
	if now.Before(w.retryAt) {
		return false
	}
	for _, c := range w.consumers {
		c.shedHoard(now)
	}
	if !idle || w.process.needsTransaction(now) {
		w.transact()
		w.lastActive = now
	} else if w.canClaim(now) {
		w.onlyClaim()
		w.lastActive = now
	} else if w.untidy && now.Sub(w.lastActive) > tidyAfter {
		w.tidy()
	}
	return false
}

// finish makes what is in the inbox durable, gives up what consumers still
// hold, and closes the file.
func (w *writer) finish() error {
	for _, c := range w.consumers {
		c.Stop()
	}
	w.transact()
	left, reason := w.take(), w.trouble
	w.refuse(left, reason)
	err := w.giveUpAll(reason)
	if slices.ContainsFunc(left.settlements, func(s settlement) bool { return s.verdict != released }) {
		err = fmt.Errorf("outcomes of tasks could not be stored; these tasks will run again: %w", reason)
	}
	w.process.leave()
	w.bell.close()
	return errors.Join(err, w.conn.close())
}

// giveUpAll gives up what consumers still hold, unless the file is locked, as
// the trouble says. Then the others find the lock of this process free, as that
// of a dead one, and do it.
func (w *writer) giveUpAll(trouble error) error {
	if len(w.consumers) == 0 {
		return nil
	}
	err := trouble
	if !isBusy(trouble) {
		err = explain(w.file, w.alone(durable, lockPatience, func() error {
			for _, c := range w.consumers {
				if err := giveUp(w.conn, c.id); err != nil {
					return err
				}
			}
			return nil
		}))
	}
	if err != nil {
		w.process.abandon()
	}
	return err
}
