package sqlite

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dtaskhq/dtask/internal/testenv/skip"
)

// Whatever lies beside the database, and whatever a row names as a lock file:
// only lock files are removed.
func TestForeignFilesStay(t *testing.T) {
	file := newFile(t)
	b := openBroker(t, file)
	mustEnqueue(t, b, newMessage("q"))
	stale := at(file).lockPrefix() + strings.Repeat("0", 16)
	foreign := []string{
		at(file).lockPrefix() + "backup-2026-01-01.db",
		at(file).lockPrefix() + strings.Repeat("1", 17),
		at(file).lockPrefix() + strings.Repeat("2", 16), // of the right name, but not empty
		filepath.Join(filepath.Dir(file), "users.db"),
	}
	for _, path := range append(foreign, stale) {
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(foreign[2], []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	look := openConn(t, file)
	for _, path := range append(foreign, file) {
		mustExec(t, look, "INSERT INTO dtask_consumers (queue, lock, pid, lease) VALUES ('q', ?, 1, 0)", filepath.Base(path))
	}
	mustConsume(t, b, "p", 1)
	letLeasesCount(t, b)
	eventually(t, "the consumers that nobody can be are forgotten", func() bool {
		return mustInt(t, look, "SELECT count(*) FROM dtask_consumers WHERE queue = 'q'") == 0
	})
	mustConsume(t, openBroker(t, file), "p", 1) // nobody is registered with them any more
	for _, path := range append(foreign, file) {
		if _, err := os.Stat(path); err != nil {
			t.Errorf("a file that is no lock file: %v", err)
		}
	}
	if _, err := os.Stat(stale); err == nil {
		t.Error("the lock file of a dead process stays")
	}
}

// Who may write the database may test the lock.
func TestLockFileIsShared(t *testing.T) {
	file := newFile(t)
	openBroker(t, file).Close()
	before, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	uid, gid, ok := owner(before)
	if !ok {
		skip.Test(t, "no file modes")
	}
	if os.Getuid() == 0 {
		uid, gid = 2001, 3000
	}
	if err := errors.Join(os.Chown(file, uid, gid), os.Chmod(file, 0o660)); err != nil {
		t.Fatal(err)
	}
	b := openBroker(t, file)
	mustConsume(t, b, "q", 1)
	info, err := os.Stat(b.writer.liveness.lock.path)
	if err != nil {
		t.Fatal(err)
	}
	if u, g, _ := owner(info); u != uid || g != gid || info.Mode().Perm() != 0o660 {
		t.Errorf("the lock file belongs to %d:%d with mode %v, want that of the database, %d:%d and 0660", u, g, info.Mode(), uid, gid)
	}
}
