package sqlite

import (
	"cmp"
	"database/sql/driver"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/internal/orders"
)

// writer is the one goroutine of a broker that writes. Callers leave what they
// want in the inbox; each turn puts all of it, and the claims of the consumers,
// into one transaction (group commit), and answers once that is on disk.
type writer struct {
	target
	identity identity
	log      *slog.Logger
	conn     *conn // synchronous = FULL at first

	mu         sync.Mutex
	inbox      inbox
	committing [][]settlement // taken from the inbox, and not known to be on disk
	trouble    error          // why not everything is stored; nil if it is
	gaveUpFor  error          // why the store cannot be used any more; nil if it can
	failed     chan struct{}  // closed when there is such a reason
	waiters    waiters
	listeners  orders.Listeners             // for orders
	cancelled  atomic.Pointer[cancelledSet] // as others see it
	walChanged atomic.Bool                  // another process has written to the log
	wake       chan struct{}                // 1: something is in the inbox, or somebody new waits for a result
	done       chan struct{}                // closed when the goroutine has ended

	// The rest belongs to the goroutine.
	consumers    []*consumer
	liveness     liveness
	wal          *walWatch
	dataVersion  int64     // of the last look at the file
	lastActive   time.Time // when something last happened
	othersAt     time.Time // when another connection last committed
	retryAt      time.Time // no transaction before, after one that failed
	complainedAt time.Time // when the log last had what is wrong
	identifiedAt time.Time // when the files were last looked at
	diskFails    time.Time // since when the disk has failed without a break; zero: it works
	expecting    time.Time // until when to look often, since another process has written
	gate         gate
	marked       cancelledSet            // as it is, within a transaction
	paused       map[string]broker.Pause // tasks
	putOff       int                     // messages of paused tasks, in this transaction
	args         []driver.Value          // reused
	storing      []storing               // reused
	durability   durability              // of the connection
	vacuumedAt   time.Time               // under load
	vacuumDue    bool                    // written since the last vacuum
	expected     int                     // how many callers the next transaction is to answer
	closeErr     error
	clock        soberClock // constant
}

// newWriter returns a writer on c, which it owns.
func newWriter(t target, c *conn, id identity, clock soberClock, log *slog.Logger) *writer {
	c.script("PRAGMA busy_timeout = 0") // begin waits in its own way
	return &writer{
		target:     t,
		identity:   id,
		log:        log,
		clock:      clock,
		conn:       c,
		wake:       make(chan struct{}, 1),
		done:       make(chan struct{}),
		failed:     make(chan struct{}),
		marked:     make(cancelledSet),
		durability: durable,
	}
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
	if len(w.consumers) > 0 || !idle {
		w.lookAtIdentity(now)
	}
	if w.failure() == nil {
		w.lookOutside(now, idle)
	}
	if w.isClosing() {
		return true
	}
	if err := w.failure(); err != nil {
		w.endAll(err)
		return false
	}
	if now.Before(w.retryAt) {
		return false
	}
	for _, c := range w.consumers {
		c.shedHoard(now)
	}
	if !idle || w.liveness.needsTransaction(now) {
		w.transact()
		w.lastActive = now
	} else if w.canClaim(now) {
		w.onlyClaim()
		w.lastActive = now
	} else if w.vacuumDue && now.Sub(w.lastActive) > vacuumAfter {
		w.vacuum()
		return false
	}
	if w.vacuumDue && w.failure() == nil {
		w.vacuumBesides(now)
	}
	return false
}

// finish makes what is in the inbox durable, gives up what consumers still
// hold, and closes the file.
func (w *writer) finish() error {
	for _, c := range w.consumers {
		c.Stop()
	}
	reason := w.failure()
	if reason == nil {
		w.transact()
		w.mu.Lock()
		reason = cmp.Or(w.gaveUpFor, w.trouble)
		w.mu.Unlock()
	}
	left := w.take()
	w.refuse(left, reason)
	err := w.giveUpAll(reason)
	if slices.ContainsFunc(left.settlements, func(s settlement) bool { return s.verdict != released }) {
		err = fmt.Errorf("outcomes of tasks could not be stored; these tasks will run again: %w", reason)
	}
	w.liveness.leave()
	w.wal.close()
	return errors.Join(err, w.conn.close())
}

// giveUpAll gives up what consumers still hold. If the file is locked, as the
// trouble says, or cannot be used, other processes do it: they find the lock of this process free,
// like that of a dead one.
func (w *writer) giveUpAll(trouble error) error {
	if len(w.consumers) == 0 {
		return nil
	}
	err := trouble
	if !isBusy(trouble) && w.failure() == nil {
		err = explain(w.file, w.alone(durable, lockPatience, func() error {
			for _, c := range w.consumers {
				if err := w.giveUp(w.conn, c.id); err != nil {
					return err
				}
			}
			return nil
		}))
	}
	if err != nil {
		w.liveness.abandon()
	}
	return err
}
