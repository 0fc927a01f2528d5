package sqlite

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"

	driversqlite "modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// explain says what is wrong with the file and what to do about it, where it
// can.
func explain(file string, err error) error {
	var e *driversqlite.Error
	if err == nil || !errors.As(err, &e) {
		if err != nil {
			return fmt.Errorf("sqlite %s: %w", file, err)
		}
		return nil
	}
	if isFull(e) {
		return fmt.Errorf("sqlite %s: %w: the disk is full, or the file has reached its limit; make room (%w)", file, broker.ErrBlocked, err)
	}
	const damaged = "it is damaged; restore it, or save what is left with the command .recover of sqlite3"
	remedy := ""
	switch e.Code() & 0xff {
	case lib.SQLITE_BUSY, lib.SQLITE_LOCKED:
		remedy = "another program keeps it locked; end its transaction"
	case lib.SQLITE_READONLY, lib.SQLITE_PERM, lib.SQLITE_AUTH:
		remedy = cmp.Or(denied(file), "it cannot be written; allow this user to write the file and its directory, or if it may, the header of the file is damaged: restore it")
	case lib.SQLITE_CORRUPT:
		remedy = damaged
	case lib.SQLITE_NOTADB:
		remedy = "it is no SQLite database, or its header is damaged; name another file, or restore it"
	case lib.SQLITE_CANTOPEN:
		remedy = whyNot(file)
	case lib.SQLITE_IOERR:
		remedy = "the disk fails, or it is a network file system; use a local disk"
		if onReadOnlyDisk(file) {
			remedy = denied(file)
		}
	case lib.SQLITE_PROTOCOL:
		remedy = "locks do not work there; use a local disk, not a network file system"
	default:
		if isUnknownFormat(e) {
			return fmt.Errorf("sqlite %s: %s (%w)", file, damaged, err)
		}
		return fmt.Errorf("sqlite %s: %w", file, err)
	}
	return fmt.Errorf("sqlite %s: %s (%w)", file, remedy, err)
}

// maxPath is the longest path that SQLite opens on Unix, with room for "-journal".
const maxPath = 512 - len("-journal")

// whyNot says why SQLite cannot open the file: it says no more than that.
func whyNot(file string) string {
	if info, err := os.Stat(file); err == nil && info.IsDir() {
		return "it is a directory; name a file"
	}
	if len(file) > maxPath {
		return fmt.Sprintf("its path has %d bytes, SQLite takes %d; use a shorter one", len(file), maxPath)
	}
	return cmp.Or(denied(file), "it cannot be opened; check that it is a file, and that this user may write its directory")
}

// denied says which file this process may not write, and whose it is; or nothing.
func denied(file string) string {
	if onReadOnlyDisk(file) {
		return "its file system is mounted for reading only; mount it for writing"
	}
	for _, path := range []string{file, file + "-wal", file + "-shm", filepath.Dir(file)} {
		if info, err := os.Stat(path); err == nil && !mayWrite(path) {
			return fmt.Sprintf("permission denied: %s belongs to %s (mode %04o); run all processes as one user, or let this one write file and directory",
				filepath.Base(path), ownerName(info), info.Mode().Perm())
		}
	}
	return ""
}

func ownerName(info os.FileInfo) string {
	uid, _, ok := owner(info)
	if !ok {
		return "another user"
	}
	u, err := user.LookupId(strconv.Itoa(uid))
	if err != nil {
		return fmt.Sprint("user ", uid)
	}
	return u.Username
}

// isFull reports whether there was no room. What has no room for the index of the
// write-ahead log calls it an error of the disk.
func isFull(e *driversqlite.Error) bool {
	return e.Code()&0xff == lib.SQLITE_FULL || e.Code() == lib.SQLITE_IOERR_SHMSIZE
}

// isBusy reports whether another process had the lock for too long.
func isBusy(err error) bool {
	var e *driversqlite.Error
	return errors.As(err, &e) && e.Code()&0xff == lib.SQLITE_BUSY
}
