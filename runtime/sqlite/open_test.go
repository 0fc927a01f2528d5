package sqlite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/dtaskhq/dtask/internal/testenv/skip"
	"github.com/dtaskhq/dtask/runtime/broker"
)

// What cannot be used is refused in one line that names the file.
func TestOpenRefuses(t *testing.T) {
	write := func(t *testing.T, data string) string {
		file := newFile(t)
		if err := os.WriteFile(file, []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	for _, c := range []struct {
		name string
		file func(*testing.T) string
		want string
	}{
		{"no directory", func(t *testing.T) string { return filepath.Join(t.TempDir(), "none", "tasks.db") }, "its directory does not exist; make it first"},
		{"a directory", func(t *testing.T) string { return t.TempDir() }, "it is a directory"},
		{"a link to itself", func(t *testing.T) string {
			file := newFile(t)
			if err := os.Symlink(file, file); err != nil {
				skip.Test(t, err)
			}
			return file
		}, "links lead in circles"},
		{"a long path", func(t *testing.T) string {
			dir := t.TempDir()
			for range 5 {
				dir = filepath.Join(dir, strings.Repeat("d", 100))
			}
			if err := os.MkdirAll(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			return filepath.Join(dir, "tasks.db")
		}, "use a shorter one"},
		{"no database", func(t *testing.T) string { return write(t, strings.Repeat("no database. ", 1000)) }, "no SQLite database"},
		{"truncated", func(t *testing.T) string {
			file := newFile(t)
			b := openBroker(t, file)
			mustEnqueue(t, b, newMessage("q"))
			b.Close()
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			return write(t, string(data[:len(data)/2]))
		}, "damaged"},
		{"a newer version", func(t *testing.T) string {
			file := newFile(t)
			openBroker(t, file).Close()
			mustExec(t, openConn(t, file), "UPDATE dtask_schema SET version = 99")
			return file
		}, fmt.Sprintf("schema version 99, this build knows versions up to %d; use a newer build", len(migrations))},
		{"a damaged version", func(t *testing.T) string {
			file := newFile(t)
			openBroker(t, file).Close()
			mustExec(t, openConn(t, file), "DELETE FROM dtask_schema")
			return file
		}, "the file is damaged"},
	} {
		t.Run(c.name, func(t *testing.T) {
			file := c.file(t)
			before, _ := os.ReadFile(file)
			b, err := Open(testContext(t), "sqlite:"+file, broker.Config{})
			if err == nil {
				b.Close()
				t.Fatal("opened")
			}
			if !strings.Contains(err.Error(), c.want) || strings.Count(err.Error(), file) != 1 || strings.Contains(err.Error(), "\n") {
				t.Errorf("error %q, want one line with %q and, once, the name of the file", err, c.want)
			}
			if after, _ := os.ReadFile(file); c.name == "no database" && string(after) != string(before) {
				t.Error("the file was changed")
			}
		})
	}
}

func TestOpenReadOnly(t *testing.T) {
	for _, c := range []struct {
		name string
		mode os.FileMode
		path func(file string) string
	}{
		{"file", 0o400, func(file string) string { return file }},
		{"unreadable file", 0, func(file string) string { return file }},
		{"directory", 0o500, filepath.Dir},
	} {
		t.Run(c.name, func(t *testing.T) {
			obeyFileModes(t)
			file := newFile(t)
			openBroker(t, file).Close()
			path := c.path(file)
			info, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(path, c.mode); err != nil {
				t.Fatal(err)
			}
			defer os.Chmod(path, info.Mode())
			b, err := Open(testContext(t), "sqlite:"+file, broker.Config{})
			if err == nil {
				b.Close()
				t.Fatal("opened")
			}
			want := "permission denied: " + filepath.Base(path) + " belongs to "
			if runtime.GOOS == "windows" {
				want = "allow this user to write"
			}
			if !strings.Contains(err.Error(), want) {
				t.Errorf("error %q, want %q", err, want)
			}
		})
	}
}

// Open waits for a locked file as long as its context lasts, and says what it
// waited for.
func TestOpenLocked(t *testing.T) {
	file := newFile(t)
	openBroker(t, file).Close()
	other := openConn(t, file)
	mustExec(t, other, "BEGIN IMMEDIATE")
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	_, err := Open(ctx, "sqlite:"+file, broker.Config{})
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "another program keeps it locked") {
		t.Errorf("error %v, want the context's, and the reason", err)
	}
	opened := make(chan error)
	go func() {
		b, err := Open(testContext(t), "sqlite:"+file, broker.Config{})
		if err == nil {
			err = b.Close()
		}
		opened <- err
	}()
	mustExec(t, other, "ROLLBACK")
	if err := <-opened; err != nil {
		t.Errorf("once it is free: %v", err)
	}
}

// The file may be the application's own.
func TestOpenApplicationFile(t *testing.T) {
	file := newFile(t)
	app := openConn(t, file)
	if err := app.script("PRAGMA user_version = 7; CREATE TABLE users (name TEXT); INSERT INTO users VALUES ('ada')"); err != nil {
		t.Fatal(err)
	}
	b := openBroker(t, file)
	mustEnqueue(t, b, newMessage("q"))
	if v := mustInt(t, app, "PRAGMA user_version"); v != 7 {
		t.Errorf("user_version is %d, want the application's 7", v)
	}
	if n := mustInt(t, app, "SELECT count(*) FROM sqlite_schema WHERE name NOT LIKE 'dtask\\_%' ESCAPE '\\' AND tbl_name NOT LIKE 'dtask\\_%' ESCAPE '\\' AND name <> 'sqlite_sequence'"); n != 1 {
		t.Errorf("%d objects outside of dtask_, want the application's table", n)
	}
}

// The file is readable to its owner alone: arguments may be secret.
func TestFileMode(t *testing.T) {
	if runtime.GOOS == "windows" {
		skip.Test(t, "no file modes")
	}
	file := newFile(t)
	b := openBroker(t, file)
	mustConsume(t, b, "q", 1)
	entries, err := os.ReadDir(filepath.Dir(file))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if info, err := e.Info(); err == nil && info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", e.Name(), info.Mode())
		}
	}
}

// Many processes may open a new file at once: one of them makes the tables.
func TestOpenTogether(t *testing.T) {
	file := newFile(t)
	errs := make(chan error)
	for range 8 {
		go func() {
			b, err := Open(context.Background(), "sqlite:"+file, broker.Config{})
			if err == nil {
				err = errors.Join(b.Enqueue(context.Background(), newMessage("q")), b.Close())
			}
			errs <- err
		}()
	}
	for range 8 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	if s := queueState(t, openBroker(t, file), "q"); s.Ready != 8 {
		t.Errorf("state %+v, want 8 ready", s)
	}
}

// Processes that reach the file by different names still see each other's
// locks.
func TestOpenBySymlink(t *testing.T) {
	file := newFile(t)
	b := openBroker(t, file)
	link := filepath.Join(t.TempDir(), "link.db")
	if err := os.Symlink(file, link); err != nil {
		skip.Test(t, err)
	}
	other := openBroker(t, link)
	mustEnqueue(t, other, newMessage("q"))
	receive(t, mustConsume(t, b, "q", 1)).Settle(broker.Settlement{Verdict: broker.Done})
	mustConsume(t, other, "q", 1)
	locks, err := filepath.Glob(b.lockPrefix() + "*")
	if err != nil || len(locks) != 2 {
		t.Errorf("%d lock files beside the real file (%v), want 2", len(locks), err)
	}
}

// A link to a file that does not exist yet is no error: the file is made.
func TestOpenByDanglingSymlink(t *testing.T) {
	dir := t.TempDir()
	if err := errors.Join(
		os.Mkdir(filepath.Join(dir, "data"), 0o700),
		os.Symlink(filepath.Join("data", "next.db"), filepath.Join(dir, "link.db")),
		os.Symlink("tasks.db", filepath.Join(dir, "data", "next.db")),
	); err != nil {
		skip.Test(t, err)
	}
	mustEnqueue(t, openBroker(t, filepath.Join(dir, "link.db")), newMessage("q"))
	if s := queueState(t, openBroker(t, filepath.Join(dir, "data", "tasks.db")), "q"); s.Ready != 1 {
		t.Errorf("behind the links: %+v, want 1 ready", s)
	}
}
