package sqlite

import "time"

// The lock of the file goes to whoever asks when it is free: SQLite has no
// queue for it. Its own way to wait, with pauses that grow to 100 ms, leaves a
// process that asks now and then no chance against one that always does. So
// the writers ask often, and a writer that has company lets the others go
// first.
const (
	lockTrouble   = 100 * time.Millisecond // a wait that is longer is unusual, and noted as trouble
	lockPatience  = 5 * time.Second        // how long one call of begin waits at most
	firstLockWait = 100 * time.Microsecond // between two tries; doubles
	lastLockWait  = 2 * time.Millisecond
	courtesy      = 200 * time.Microsecond // how long the others are let go first
	companyFor    = 100 * time.Millisecond // how long after a commit of another process it counts as company
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
	w.wal.disarm()
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
