package postgres

import (
	"errors"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/dtaskhq/dtask/internal/testenv/postgresnode"
	"github.com/dtaskhq/dtask/internal/testenv/postgrestest"
	"github.com/dtaskhq/dtask/internal/testenv/skip"
)

// The disk of the tables is full, and then it is not: Delay says so, and nothing is lost.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	server := postgrestest.Server(t)
	dir := t.TempDir()
	if err := unix.Mount("none", dir, "tmpfs", 0, "size=40m,mode=711"); err != nil {
		skip.Test(t, "only root may mount", err)
	}
	t.Cleanup(func() { unix.Unmount(dir, unix.MNT_DETACH) })
	space := filepath.Join(dir, "space")
	if err := os.Mkdir(space, 0o700); err != nil {
		t.Fatal(err)
	}
	postgres, err := user.Lookup("postgres") // as whom the server runs if this is root
	if err != nil {
		t.Fatal(err)
	}
	uid, _ := strconv.Atoi(postgres.Uid)
	gid, _ := strconv.Atoi(postgres.Gid)
	for _, d := range []string{filepath.Dir(filepath.Dir(dir)), filepath.Dir(dir)} {
		if err := os.Chmod(d, 0o711); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chown(space, uid, gid); err != nil {
		t.Fatal(err)
	}
	const place = "test_full"
	postgrestest.Exec(t, server, "CREATE TABLESPACE "+place+" LOCATION '"+space+"'")
	t.Cleanup(func() { postgrestest.Exec(t, server, "DROP TABLESPACE "+place) })
	postgrestest.Exec(t, server, "CREATE DATABASE "+place+" TABLESPACE "+place)
	t.Cleanup(func() { postgrestest.Exec(t, server, "DROP DATABASE "+place+" WITH (FORCE)") })

	b := openBroker(t, postgresnode.Database(server, place))
	f := begin(t, b)
	filler := filepath.Join(dir, "filler")
	file, err := os.Create(filler)
	if err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = file.Write(make([]byte, 64<<10))
	}
	if !errors.Is(err, unix.ENOSPC) {
		t.Fatal(err)
	}
	file.Close()
	fails(t, b, "the disk of the server is full")
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	f.more(100)
	f.end()
}
