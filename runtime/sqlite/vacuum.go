package sqlite

import "time"

// When the writer has nothing else to do, it deletes results that have expired and
// gives free pages back to the file system, step by step. Under load it does the same
// in smaller steps, now and then. The write-ahead log is cut to what is left of it
// (journal_size_limit) when SQLite begins it again.
const (
	// vacuumAfter is how long the writer must have been idle.
	vacuumAfter = time.Second

	// vacuumPages is how many pages one step gives back. A step is a
	// transaction, and must be short.
	vacuumPages = "1024"

	// sparePages is how many free pages the file keeps for the next messages.
	sparePages = 256

	// expiredPerStep is how many expired results one step deletes.
	expiredPerStep = 1000

	// The same under load.
	busyVacuumEvery    = 200 * time.Millisecond
	busyVacuumPages    = "256"
	busySparePages     = 4 * sparePages
	busyExpiredPerStep = 200
)

// vacuumBesides does one step under load.
func (w *writer) vacuumBesides(now time.Time) {
	if past := now.Sub(w.vacuumedAt); 0 <= past && past < busyVacuumEvery {
		return
	}
	w.vacuumedAt = now
	expired, err := w.conn.int("SELECT count(*) FROM (SELECT 1 FROM dtask_results WHERE expires <= ? LIMIT 1)", w.clock.at(now).UnixMilli())
	if err == nil && expired > 0 {
		w.alone(volatile, lockTrouble, func() error {
			_, err := w.deleteExpired(busyExpiredPerStep)
			return err
		})
	}
	free, err := w.conn.int("PRAGMA freelist_count")
	if err == nil && free > busySparePages && w.canShrink() {
		w.alone(volatile, lockTrouble, func() error {
			return w.conn.script("PRAGMA incremental_vacuum(" + busyVacuumPages + ")")
		})
	}
	w.judge(err)
}

// vacuum does one step. Errors do not matter, as there is always a next time.
func (w *writer) vacuum() {
	deleted := 0
	w.alone(durable, lockPatience, func() (err error) {
		deleted, err = w.deleteExpired(expiredPerStep)
		return err
	})
	if deleted == expiredPerStep {
		return
	}
	free, err := w.conn.int("PRAGMA freelist_count")
	if err == nil && free > sparePages && w.canShrink() {
		w.wal.disarm()
		if _, err := w.conn.exec("PRAGMA incremental_vacuum(" + vacuumPages + ")"); err == nil {
			return
		}
	}
	w.conn.script("PRAGMA wal_checkpoint(TRUNCATE)") // unless somebody is reading
	w.vacuumDue = false
}

// canShrink reports whether the file is laid out for it. One that the
// application has made may not be.
func (w *writer) canShrink() bool {
	const incremental = 2
	mode, err := w.conn.int("PRAGMA auto_vacuum")
	return err == nil && mode == incremental
}
