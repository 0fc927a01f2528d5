package sqlite

import "time"

// Space is given back when nothing else is to do. Pages that messages have
// left are used again at once; these steps return them to the file system.
const (
	// tidyAfter is how long the writer has been idle before.
	tidyAfter = time.Second

	// tidyPages is how many pages one step gives back. A step is a
	// transaction: it is to be short.
	tidyPages = "1024"

	// sparePages is how many free pages the file keeps for the next messages.
	sparePages = 256

	// tidyResults is how many expired results one step deletes.
	tidyResults = 1000
)

// tidy does one step. Errors do not matter: there is always a next time.
func (w *writer) tidy() {
	deleted := 0
	w.alone(durable, lockPatience, func() (err error) {
		deleted, err = w.deleteExpired(tidyResults)
		return err
	})
	if deleted == tidyResults {
		return
	}
	free, err := w.conn.int("PRAGMA freelist_count")
	if err == nil && free > sparePages && w.canShrink() {
		w.bell.disarm()
		if _, err := w.conn.exec("PRAGMA incremental_vacuum(" + tidyPages + ")"); err == nil {
			return
		}
	}
	w.conn.script("PRAGMA wal_checkpoint(TRUNCATE)") // unless somebody is reading
	w.untidy = false
}

// canShrink reports whether the file is laid out for it. One that the
// application has made may not be.
func (w *writer) canShrink() bool {
	const incremental = 2
	mode, err := w.conn.int("PRAGMA auto_vacuum")
	return err == nil && mode == incremental
}
