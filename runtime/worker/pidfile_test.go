package worker

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/dtaskhq/dtask/internal/testenv/skip"
)

func pidIn(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// What a dead process has left is overcome, and the file is gone at the end.
func TestPidfileLeft(t *testing.T) {
	own := fmt.Sprintln(os.Getpid())
	for name, old := range map[string]string{"none": "", "of a dead process": "999999999\n", "of this one": own} {
		path := filepath.Join(t.TempDir(), "pid")
		if old != "" {
			if err := os.WriteFile(path, []byte(old), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		remove, err := writePidfile(path)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got := pidIn(t, path); got != own {
			t.Errorf("%s: the file holds %q", name, got)
		}
		remove()
		if _, err := os.Lstat(path); !os.IsNotExist(err) {
			t.Errorf("%s: the file is still there", name)
		}
	}
}

// Of those that start at once one gets the file; the others say so.
func TestPidfileContended(t *testing.T) {
	if runtime.GOOS == "windows" {
		skip.Test(t, "the file has no lock on Windows")
	}
	path := filepath.Join(t.TempDir(), "pid")
	type outcome struct {
		remove func()
		err    error
	}
	outcomes := make(chan outcome)
	const starters = 8
	for range starters {
		go func() {
			remove, err := writePidfile(path)
			outcomes <- outcome{remove, err}
		}()
	}
	won := 0
	for range starters {
		o := <-outcomes
		switch {
		case o.err == nil:
			won++
			defer o.remove()
		case !strings.Contains(o.err.Error(), "holds it; stop it first"):
			t.Error(o.err)
		}
	}
	if won != 1 {
		t.Errorf("%d of %d have the file", won, starters)
	}
}

// A link is not followed, and what is no pid file is not written over.
func TestPidfileIsNoOther(t *testing.T) {
	dir := t.TempDir()
	precious := filepath.Join(dir, "precious")
	const text = "keep this\n"
	if err := os.WriteFile(precious, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	link, dangling := filepath.Join(dir, "link"), filepath.Join(dir, "dangling")
	if os.Symlink(precious, link) != nil || os.Symlink(filepath.Join(dir, "nowhere"), dangling) != nil {
		skip.Test(t, "no symbolic links")
	}
	for path, want := range map[string]string{
		precious: "something else than a process id",
		link:     "symbolic link",
		dangling: "symbolic link",
		dir:      "directory",
	} {
		if _, err := writePidfile(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
	if got := pidIn(t, precious); got != text {
		t.Errorf("the file holds %q", got)
	}
	if _, err := os.Lstat(filepath.Join(dir, "nowhere")); !os.IsNotExist(err) {
		t.Error("the target of the link was made")
	}

	// Another file has taken its place: that one stays.
	path := filepath.Join(dir, "pid")
	remove, err := writePidfile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(precious, path); err != nil {
		t.Fatal(err)
	}
	remove()
	if got := pidIn(t, path); got != text {
		t.Errorf("the file in its place holds %q", got)
	}
}
