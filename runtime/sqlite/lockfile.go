package sqlite

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// lockFile is a small file beside the database that a consuming process keeps
// locked while it lives. The kernel releases the lock of a dead process.
type lockFile struct {
	file *os.File
	path string
	name string // base of path
}

// lockPrefix is how the paths of lock files begin. The namespace is in it, for
// whoever deletes the locks of dead processes knows only those of its own.
func (t target) lockPrefix() string { return t.file + "-" + t.namespace + "-" }

// newLockFile makes and locks a file of this process.
func newLockFile(t target) (*lockFile, error) {
	var random [8]byte
	rand.Read(random[:]) // never fails
	path := t.lockPrefix() + hex.EncodeToString(random[:])
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock file: %w", err)
	}
	l := &lockFile{file: f, path: path, name: filepath.Base(path)}
	if err := lock(f); err != nil && !errors.Is(err, errors.ErrUnsupported) {
		l.remove()
		return nil, fmt.Errorf("lock file %s: %w", path, err)
	}
	l.share(t.file)
	return l, nil
}

// share lets those test the lock who may write the database, as SQLite does with
// its own files beside it. Where that is not allowed they go by the lease.
func (l *lockFile) share(database string) {
	info, err := os.Stat(database)
	if err != nil {
		return
	}
	uid, gid, ok := owner(info)
	if !ok || l.file.Chown(-1, gid) != nil {
		return
	}
	l.file.Chown(uid, -1) // root may
	l.file.Chmod(info.Mode().Perm())
}

var randomPart = regexp.MustCompile("^[0-9a-f]{16}$")

// isLockName reports whether a lock file of the target may be called so. What
// has another name is not ours, even if a row of the database says so: it is
// neither opened nor removed.
func isLockName(t target, name string) bool {
	random, ok := strings.CutPrefix(name, filepath.Base(t.lockPrefix()))
	return ok && randomPart.MatchString(random)
}

// remove deletes the file and gives up its lock.
func (l *lockFile) remove() {
	removed := os.Remove(l.path) == nil
	l.file.Close()
	if !removed { // Windows deletes no open file
		os.Remove(l.path)
	}
}

// The states of the lock of another process.
type lockState int

const (
	lockHeld    lockState = iota // it lives
	lockFree                     // it is dead; the lock is now ours
	lockUnknown                  // there is no such lock file, or it cannot be locked
)

// tryLock tests the lock of another process, by the name of its file.
func tryLock(t target, name string) (*lockFile, lockState) {
	if !isLockName(t, name) {
		return nil, lockUnknown
	}
	path := filepath.Join(filepath.Dir(t.file), name)
	if info, err := os.Lstat(path); err != nil || !info.Mode().IsRegular() || info.Size() > 0 {
		return nil, lockUnknown
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, lockUnknown
	}
	switch err := lock(f); {
	case err == nil:
		return &lockFile{file: f, path: path, name: name}, lockFree
	case errors.Is(err, errLocked):
		f.Close()
		return nil, lockHeld
	default:
		f.Close()
		return nil, lockUnknown
	}
}

// removeStaleLocks deletes lock files that dead processes have left and that
// no consumer is registered with.
func removeStaleLocks(t target, registered map[string]bool) {
	entries, err := os.ReadDir(filepath.Dir(t.file))
	if err != nil {
		return
	}
	for _, e := range entries {
		if registered[e.Name()] {
			continue
		}
		if l, state := tryLock(t, e.Name()); state == lockFree {
			l.remove()
		}
	}
}
