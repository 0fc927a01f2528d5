package sqlite

import (
	"log/slog"
	"os"
	"testing"
	"time"

	"github.com/dtaskhq/dtask/internal/testenv/skip"
	"github.com/dtaskhq/dtask/runtime/broker"
)

// A process that others took for dead goes on, and what it still reports about
// the messages that they took counts no more.
func TestTakenForDead(t *testing.T) {
	file := newFile(t)
	b := openBroker(t, file)
	c := mustConsume(t, b, "q", 1)
	mustEnqueue(t, b, newMessage("q"))
	late := receive(t, c)
	other := openConn(t, file)
	mustExec(t, other, "BEGIN IMMEDIATE")
	mustExec(t, other, freeMessages, b.writer.liveness.lock.name)
	mustExec(t, other, forgetConsumers, b.writer.liveness.lock.name)
	mustExec(t, other, "COMMIT")
	late.Settle(broker.Settlement{Verdict: broker.Dead})
	mustEnqueue(t, b, newMessage("q")) // its slot is free
	again := receive(t, c)
	if m := again.Message(); m.ID != late.Message().ID || m.Attempt != 2 {
		t.Errorf("delivered %s at attempt %d, want %s at 2", m.ID, m.Attempt, late.Message().ID)
	}
	if s := queueState(t, b, "q"); s.Dead != 0 {
		t.Errorf("state %+v: a late settlement had an effect", s)
	}
	again.Settle(broker.Settlement{Verdict: broker.Done})
	receive(t, c).Settle(broker.Settlement{Verdict: broker.Done})
	flush(t, b)
	if s := queueState(t, b, "q"); s != (broker.QueueState{Queue: "q"}) {
		t.Errorf("state %+v, want nothing left", s)
	}
	if n := mustInt(t, other, "SELECT count(*) FROM dtask_consumers"); n != 1 {
		t.Errorf("%d consumers are registered, want the one that goes on", n)
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
	w := newWriter(b.target, conn, b.writer.identity, soberClock{}, slog.Default())
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

// Leases are renewed at once after the machine has slept, or the clock was set,
// and count again a heartbeat later.
func TestLeaseAfterSleep(t *testing.T) {
	var p liveness
	now := time.Now()
	p.lock = new(lockFile)
	p.renewed, p.steady = now, now.Add(-time.Hour)
	for _, jump := range []time.Duration{time.Hour, -time.Hour} {
		p.renewed = now.Add(-jump).Round(0) // no time has passed that the monotonic clock knows of
		if !p.needsRenewal(now) || p.provesDeath(now) {
			t.Errorf("after a jump of %v: renewal %v, leases count %v", jump, p.needsRenewal(now), p.provesDeath(now))
		}
		p.maintained(now)
		if p.needsRenewal(now) || p.provesDeath(now) || !p.provesDeath(now.Add(heartbeat+1)) {
			t.Errorf("after a jump of %v and the renewal: leases do not count again after a heartbeat", jump)
		}
	}
}
