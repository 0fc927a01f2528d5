package sqlite

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	driversqlite "modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"

	"github.com/dtaskhq/dtask/runtime/broker"
)

var _ broker.Failer = (*Broker)(nil)

// Failed implements [broker.Failer].
func (b *Broker) Failed() <-chan struct{} { return b.writer.failed }

// Err implements [broker.Failer].
func (b *Broker) Err() error { return b.writer.failure() }

// diskPatience is how long the disk may fail without a break until the writer
// gives up.
const diskPatience = 30 * time.Second

// fail makes the writer give up: nothing more is stored or delivered.
func (w *writer) fail(err error) {
	w.mu.Lock()
	first := w.gaveUpFor == nil
	if first {
		w.gaveUpFor = err
		close(w.failed)
	}
	w.mu.Unlock()
	if !first {
		return
	}
	w.log.Error("the database cannot be used any more; given up", "err", err)
	if isDamage(err) {
		markDamaged(w.file, err)
	}
	w.wakeUp()
}

// failure returns why the writer has given up, nil if it has not.
func (w *writer) failure() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.gaveUpFor
}

// judge makes the writer give up if the error is one that does not pass. It
// reports whether the writer has given up.
func (w *writer) judge(err error) bool {
	if isPermanent(w.file, err) {
		w.fail(explain(w.file, err))
	}
	return w.failure() != nil
}

// endAll does, instead of turns, what is left to do once the writer has given up:
// it refuses what callers bring, and ends the deliveries.
func (w *writer) endAll(reason error) {
	for _, c := range w.consumers {
		c.Stop()
	}
	w.refuse(w.take(), reason)
	w.waiters.changed()
}

// isPermanent reports whether an error of SQLite stays, whatever is tried.
func isPermanent(file string, err error) bool {
	var e *driversqlite.Error
	if errors.Is(err, errMoved) || errors.Is(err, errMarked) {
		return true
	}
	if !errors.As(err, &e) {
		return false
	}
	if isDamage(err) {
		return true
	}
	switch e.Code() & 0xff {
	case lib.SQLITE_READONLY, lib.SQLITE_PERM, lib.SQLITE_AUTH:
		return true
	case lib.SQLITE_IOERR, lib.SQLITE_CANTOPEN:
		return !isFull(e) && onReadOnlyDisk(file)
	case lib.SQLITE_ERROR: // our statements are right: it is the tables that are not
		return strings.Contains(err.Error(), "no such ")
	}
	return false
}

// isDiskError reports whether the disk fails, which may pass.
func isDiskError(err error) bool {
	var e *driversqlite.Error
	if !errors.As(err, &e) || isFull(e) {
		return false
	}
	code := e.Code() & 0xff
	return code == lib.SQLITE_IOERR || code == lib.SQLITE_CANTOPEN
}

// isDamage reports whether the content of the file is at fault.
func isDamage(err error) bool {
	var e *driversqlite.Error
	if !errors.As(err, &e) {
		return false
	}
	switch e.Code() & 0xff {
	case lib.SQLITE_CORRUPT, lib.SQLITE_NOTADB:
		return true
	case lib.SQLITE_ERROR:
		return isUnknownFormat(e)
	}
	return false
}

// isUnknownFormat reports whether the header of the file names a format that there
// is not. SQLite has no code for it.
func isUnknownFormat(e *driversqlite.Error) bool {
	return strings.Contains(e.Error(), "unsupported file format")
}

// Whoever finds the database damaged leaves a mark beside it. A process that only
// enqueues may never read the pages that are damaged: it would go on to confirm
// what no worker can read.
func markOf(file string) string { return file + "-damaged" }

var errMarked = errors.New("it is damaged")

func markDamaged(file string, reason error) {
	os.WriteFile(markOf(file), []byte(reason.Error()+"\n"), 0o600)
}

// marked returns an error if a process has found the database damaged.
func marked(file string) error {
	if _, err := inodeOf(markOf(file)); err != nil {
		return nil
	}
	return fmt.Errorf("%w, as a process has found out (%s says how); restore it, or save what is left with the command .recover of sqlite3",
		errMarked, markOf(file))
}

// proveSound checks a database that was found damaged, and removes the mark if
// somebody has mended it or put another one in its place.
func proveSound(c *conn, file string) error {
	mark := marked(file)
	if mark == nil {
		return nil
	}
	verdict, err := c.text("PRAGMA integrity_check(1)")
	switch {
	case isBusy(err):
		return err
	case err != nil || verdict != "ok":
		return mark
	}
	return os.Remove(markOf(file))
}
