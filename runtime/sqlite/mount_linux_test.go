package sqlite

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/dtaskhq/dtask/internal/testenv/skip"
	"github.com/dtaskhq/dtask/runtime/broker"
)

// mount mounts for the length of the test.
func mount(t *testing.T, source, target, fstype string, flags uintptr) {
	t.Helper()
	if err := unix.Mount(source, target, fstype, flags, ""); err != nil {
		skip.Test(t, "only root may mount", err)
	}
	t.Cleanup(func() { unix.Unmount(target, unix.MNT_DETACH) })
}

// A file that is mounted without its directory has a log that the others do not see.
func TestOpenMountedAlone(t *testing.T) {
	file := newFile(t)
	openBroker(t, file).Close()
	for _, link := range []string{"", "link.db"} {
		dir := t.TempDir()
		there := filepath.Join(dir, "tasks.db")
		if err := os.WriteFile(there, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		mount(t, file, there, "", unix.MS_BIND)
		name := there
		if link != "" {
			name = filepath.Join(dir, link)
			if err := os.Symlink(there, name); err != nil {
				t.Fatal(err)
			}
		}
		b, err := Open(testContext(t), "sqlite:"+name, broker.Config{})
		if err == nil {
			b.Close()
			t.Fatal("opened")
		}
		if !strings.Contains(err.Error(), "mount its directory") {
			t.Errorf("error %v", err)
		}
	}
	dir := t.TempDir()
	mount(t, filepath.Dir(file), dir, "", unix.MS_BIND)
	openBroker(t, filepath.Join(dir, filepath.Base(file)))
}

// A file system that becomes read-only is named as such, and the broker gives up.
func TestReadOnlyDisk(t *testing.T) {
	dir := t.TempDir()
	mount(t, "none", dir, "tmpfs", 0)
	file := filepath.Join(dir, "tasks.db")
	openBroker(t, file).Close()
	if err := unix.Mount("none", dir, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	_, err := Open(testContext(t), "sqlite:"+file, broker.Config{})
	if err == nil || !strings.Contains(err.Error(), "mounted for reading only") || strings.Contains(err.Error(), "belongs to") {
		t.Errorf("error %v, want that the file system is mounted for reading only", err)
	}
}
