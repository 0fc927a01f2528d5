package sqlite

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

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

// letLeasesCount makes b go by leases that have run out, as it would after a
// heartbeat.
func letLeasesCount(t *testing.T, b *Broker) {
	t.Helper()
	if err := b.writer.do(testContext(t), func(*conn) error {
		b.writer.liveness.steady = time.Time{}
		return nil
	}); err != nil {
		t.Fatal(err)
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

// A lease that has run out counts only while leases can be renewed, and only if
// it still has in the transaction that would free the messages.
func TestLease(t *testing.T) {
	file := newFile(t)
	b := openBroker(t, file)
	c := mustConsume(t, b, "q", 1)
	mustEnqueue(t, b, newMessage("q"))
	receive(t, c)
	look := openConn(t, file)
	if err := os.Remove(b.writer.liveness.lock.path); err != nil {
		skip.Test(t, err) // Windows
	}

	// Another process, whose clock is ours.
	conn, err := openFile(testContext(t), at(b.file))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.close()
	w := newWriter(b.target, conn, slog.Default())
	p := &w.liveness
	if err := p.join(conn, b.target); err != nil {
		t.Fatal(err)
	}
	defer p.leave()
	start := time.Now()
	frees := func(now time.Time) bool {
		t.Helper()
		p.lookAt, p.dead = time.Time{}, nil
		p.lookForDead(w, now)
		if len(p.dead) == 0 {
			return false
		}
		mustExec(t, conn, "BEGIN IMMEDIATE")
		defer conn.exec("ROLLBACK")
		if err := p.maintain(w, now); err != nil {
			t.Fatal(err)
		}
		return mustInt(t, conn, "SELECT count(*) FROM dtask_messages WHERE state = 1") == 0
	}
	p.renewed, p.steady = start, start.Add(-time.Hour)
	if frees(start) {
		t.Error("freed before the lease had run out")
	}
	out := start.Add(lease + time.Minute)
	p.renewed = out
	if !frees(out) {
		t.Error("not freed, though the lease had run out")
	}
	p.steady = out.Add(-heartbeat / 2)
	if frees(out) {
		t.Error("freed as soon as the file was no longer locked")
	}
	p.renewed, p.steady = start, start.Add(-time.Hour)
	if frees(out) {
		t.Error("freed while the file was locked: this process could not renew its own lease")
	}
	p.renewed, p.lookAt, p.dead = out, time.Time{}, nil
	if p.lookForDead(w, out); len(p.dead) != 1 {
		t.Fatalf("%d processes are dead, want 1", len(p.dead))
	}
	mustExec(t, look, "UPDATE dtask_consumers SET lease = ?", out.Add(time.Second).UnixMilli())
	mustExec(t, conn, "BEGIN IMMEDIATE")
	defer conn.exec("ROLLBACK")
	if err := p.maintain(w, out); err != nil {
		t.Fatal(err)
	}
	if mustInt(t, conn, "SELECT count(*) FROM dtask_messages WHERE state = 1") != 1 {
		t.Error("freed, though the lease was renewed before the transaction")
	}
}

// Leases are renewed at once after the machine has slept, or the clock was set,
// and count again a heartbeat later.
func TestLeaseAfterSleep(t *testing.T) {
	var p liveness
	now := time.Now()
	p.lock = new(lockFile)
	p.renewed, p.steady = now, now.Add(-time.Hour)
	for _, jump := range []time.Duration{time.Hour, -time.Hour} {
		p.renewed = now.Add(-jump).Round(0) // no time has passed that the monotonic clock knows of
		if !p.needsRenewal(now) || p.leasesCount(now) {
			t.Errorf("after a jump of %v: renewal %v, leases count %v", jump, p.needsRenewal(now), p.leasesCount(now))
		}
		p.maintained(now)
		if p.needsRenewal(now) || p.leasesCount(now) || !p.leasesCount(now.Add(heartbeat+1)) {
			t.Errorf("after a jump of %v and the renewal: leases do not count again after a heartbeat", jump)
		}
	}
}
