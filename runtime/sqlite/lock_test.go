package sqlite

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Whatever lies beside the database, and whatever a row names as a lock file:
// only lock files are removed.
func TestForeignFilesStay(t *testing.T) {
	file := newFile(t)
	b := openBroker(t, file)
	mustEnqueue(t, b, newMessage("q"))
	stale := file + lockSuffix + strings.Repeat("0", 16)
	foreign := []string{
		file + lockSuffix + "backup-2026-01-01.db",
		file + lockSuffix + strings.Repeat("1", 17),
		file + lockSuffix + strings.Repeat("2", 16), // of the right name, but not empty
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
