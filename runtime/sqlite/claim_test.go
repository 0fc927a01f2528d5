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

// A message that is to be run alone gets the next free slot, however many
// others there are to be fetched ahead.
func TestQuarantineInBacklog(t *testing.T) {
	const ahead = 10
	b := openBroker(t, newFile(t))
	c := mustConsume(t, b, "q", 1)
	fixAhead(t, c, ahead)
	ms := newMessages("q", 100)
	mustEnqueue(t, b, ms...)
	putInQuarantine(t, openConn(t, b.file), ms[98:]...)
	for n := 1; n <= 2; n++ {
		for overtook := 0; ; overtook++ {
			d := receive(t, c)
			alone := d.(*delivery).alone
			if overtook > 2*ahead {
				t.Fatalf("it is not delivered after %d others", overtook)
			}
			if alone {
				flush(t, b)
				if held := int(c.held.Load()); held != 1+ahead {
					t.Errorf("while it runs %d messages are held, want it and %d ahead", held, ahead)
				}
			}
			d.Settle(broker.Settlement{Verdict: broker.Done})
			flush(t, b) // it is settled, and its slot filled
			if alone {
				break
			}
		}
	}
}

// A message that is to be run alone is not overtaken by one that is stored in
// the transaction that frees the slot.
func TestQuarantineNotOvertaken(t *testing.T) {
	b := openBroker(t, newFile(t))
	c := mustConsume(t, b, "q", 1)
	fixAhead(t, c, 1)
	first, second := newMessage("q"), newMessage("q")
	for _, m := range []*broker.Message{first, second} {
		m.NotBefore = time.Now().Add(time.Hour)
		mustEnqueue(t, b, m)
	}
	other := openConn(t, b.file)
	mustExec(t, other, "BEGIN IMMEDIATE")
	putInQuarantine(t, other, first, second)
	mustExec(t, other, "COMMIT")
	running := receive(t, c)

	mustExec(t, other, "BEGIN IMMEDIATE")
	running.Settle(broker.Settlement{Verdict: broker.Done})
	stored := make(chan error)
	go func() { stored <- b.Enqueue(testContext(t), newMessage("q")) }()
	eventually(t, "the message waits to be stored", func() bool { return b.writer.waiting() == 1 })
	mustExec(t, other, "ROLLBACK")
	if err := <-stored; err != nil {
		t.Fatal(err)
	}
	d := receive(t, c)
	if d.Message().ID != second.ID {
		t.Error("another message took the slot")
	}
	d.Settle(broker.Settlement{Verdict: broker.Done})
	receive(t, c).Settle(broker.Settlement{Verdict: broker.Done})
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
			w := newWriter(at(file), c, b.writer.identity, slog.Default())
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
