package sqlite

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// fixAhead makes c fetch n messages ahead, however fast it works.
func fixAhead(t *testing.T, c *consumer, n int) {
	t.Helper()
	if err := c.writer.do(testContext(t), func(*conn) error {
		c.ahead = readAhead{size: n, at: time.Now().Add(time.Hour)}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

// putInQuarantine makes messages such as have been in the hands of a process
// that died.
func putInQuarantine(t *testing.T, c *conn, ms ...*broker.Message) {
	t.Helper()
	for _, m := range ms {
		mustExec(t, c, "UPDATE dtask_messages SET crashes = 1, quarantine = 1, due = 1 WHERE id = ?", m.ID)
	}
}

// While a message runs alone its process holds no other, of any queue; then others
// run for as long, and no queue waits for ever.
func TestQuarantineRunsAlone(t *testing.T) {
	b := openBroker(t, newFile(t))
	cs := []*consumer{mustConsume(t, b, "p", 1), mustConsume(t, b, "q", 2)}
	edit := openConn(t, b.file)
	alone := make(map[string]int)
	for _, c := range cs {
		fixAhead(t, c, 10)
		ms := newMessages(c.queue, 50)
		mustEnqueue(t, b, ms...)
		putInQuarantine(t, edit, ms[48:]...)
	}
	for left := 100; left > 0; left-- {
		var d broker.Delivery
		select {
		case d = <-cs[0].Deliveries():
		case d = <-cs[1].Deliveries():
		case <-testContext(t).Done():
			t.Fatalf("%d messages are not delivered", left)
		}
		if d := d.(*delivery); d.alone {
			alone[d.message.Queue]++
			flush(t, b)
			if held := cs[0].held.Load() + cs[1].held.Load(); held != 1 {
				t.Errorf("while it runs %d messages are held, want it alone", held)
			}
		}
		d.Settle(broker.Settlement{Verdict: broker.Done})
	}
	if alone["p"] != 2 || alone["q"] != 2 {
		t.Errorf("run alone: %v, want 2 of each queue", alone)
	}
}

// The gate is shut for a bounded time if a task does not end, and then stays open.
func TestGateGivesWay(t *testing.T) {
	b := openBroker(t, newFile(t))
	c := mustConsume(t, b, "q", 2)
	mustEnqueue(t, b, newMessage("q"))
	long := receive(t, c)
	suspect := newMessage("q")
	suspect.NotBefore = time.Now().Add(time.Hour)
	mustEnqueue(t, b, suspect)
	putInQuarantine(t, openConn(t, b.file), suspect)
	w := b.writer
	inWriter := func(f func()) {
		t.Helper()
		if err := w.do(testContext(t), func(*conn) error { f(); return nil }); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "the gate is shut", func() (shut bool) { inWriter(func() { shut = w.gate.shut() }); return shut })
	inWriter(func() { w.gate.shutSince = time.Now().Add(-2 * gatePatience) })
	mustEnqueue(t, b, newMessage("q"))
	receive(t, c).Settle(broker.Settlement{Verdict: broker.Done})
	inWriter(func() {
		if d := time.Until(w.gate.openUntil); d < gatePause-gatePatience || d > 2*gatePause {
			t.Errorf("the gate stays open for %v", d)
		}
		w.gate.openUntil = time.Time{}
	})
	long.Settle(broker.Settlement{Verdict: broker.Done})
	if d := receive(t, c); !d.(*delivery).alone {
		t.Error("the message in quarantine is not next")
	} else {
		d.Settle(broker.Settlement{Verdict: broker.Done})
	}
}

// While a process runs a suspect, others leave theirs waiting, and hold back nothing.
func TestGateOfOthers(t *testing.T) {
	file := newFile(t)
	busy, other := openBroker(t, file), openBroker(t, file)
	c := mustConsume(t, busy, "p", 1)
	suspects := []*broker.Message{newMessage("p"), newMessage("q")}
	for _, m := range suspects {
		m.NotBefore = time.Now().Add(time.Hour)
		mustEnqueue(t, busy, m)
	}
	edit := openConn(t, file)
	putInQuarantine(t, edit, suspects[0])
	alone := receive(t, c)
	putInQuarantine(t, edit, suspects[1])
	c = mustConsume(t, other, "q", 1)
	for range 5 {
		mustEnqueue(t, other, newMessage("q"))
		d := receive(t, c)
		if d.(*delivery).alone {
			t.Fatal("two suspects run at once")
		}
		if err := other.writer.do(testContext(t), func(*conn) error {
			if g := &other.writer.gate; g.shut() || g.misses > 0 {
				t.Error("the gate was shut though it is another's turn")
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		d.Settle(broker.Settlement{Verdict: broker.Done})
	}
	alone.Settle(broker.Settlement{Verdict: broker.Done})
	d := receive(t, c)
	if !d.(*delivery).alone {
		t.Error("the other suspect is not next")
	}
	d.Settle(broker.Settlement{Verdict: broker.Done})
}

// A worker that can claim nothing says why, and does not keep trying without a
// pause.
func TestClaimFails(t *testing.T) {
	for what, damage := range map[string]string{
		"when it claims":  "CREATE TRIGGER t BEFORE UPDATE OF state ON dtask_messages BEGIN SELECT RAISE(ABORT, 'damaged'); END",
		"when it is busy": "CREATE TRIGGER t BEFORE UPDATE OF state ON dtask_messages BEGIN SELECT RAISE(ABORT, 'damaged'); END",
	} {
		t.Run(what, func(t *testing.T) {
			log := captureLog(t)
			file := newFile(t)
			b := openBroker(t, file)
			mustEnqueue(t, b, newMessage("q"))
			mustExec(t, openConn(t, file), damage)
			c, err := openFile(testContext(t), at(file))
			if err != nil {
				t.Fatal(err)
			}
			defer c.close()
			w := newWriter(at(file), c, b.writer.identity, soberClock{}, slog.Default())
			w.consumers = []*consumer{{writer: w, queue: "q", concurrency: 1}}
			if what == "when it is busy" {
				w.put(func(in *inbox) {
					in.operations = append(in.operations, newOperation(func(*conn) error { return nil }, nil))
				})
			}
			for range 2 { // the second time it is silent
				w.retryAt = time.Time{}
				now := time.Now()
				w.turn(now)
				if p := w.pause(now); p <= 0 {
					t.Errorf("the writer tries again after %v, want a pause", p)
				}
			}
			if n := strings.Count(log(), file); n != 1 {
				t.Errorf("the log has it %d times, want once: %q", n, log())
			}
		})
	}
}
