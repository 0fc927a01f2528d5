package sqlite

import "time"

// When the writer has nothing else to do, it deletes results that have expired and
// gives free pages back to the file system, step by step.
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
)

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
