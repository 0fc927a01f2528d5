package sqlite

import (
	"log/slog"
	"strings"
	"testing"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// A message whose outcome has an invalid message to follow becomes a dead letter.
// The log of the consumer says why.
func TestThenInvalid(t *testing.T) {
	b := openBroker(t, newFile(t))
	var log collector
	c := consumeWith(t, b, broker.ConsumeOptions{Queue: "q", Concurrency: 1, Logger: slog.New(&log)})
	m := newMessage("q")
	mustEnqueue(t, b, m)
	invalid := newMessage("a b")
	receive(t, c).Settle(broker.Settlement{Verdict: broker.Done, Then: []*broker.Message{newMessage("next"), invalid}})
	flush(t, b)
	if q, next := queueState(t, b, "q"), queueState(t, b, "next"); q.Dead != 1 || next.Ready != 0 {
		t.Errorf("states %+v and %+v, want a dead letter, and nothing of what was to follow", q, next)
	}
	if text := log.text(); !strings.Contains(text, m.ID) || !strings.Contains(text, `queue name "a b"`) {
		t.Errorf("the log of the consumer says %q", text)
	}
}

// An outcome waits for the room that what follows from it needs.
func TestThenOnFullDisk(t *testing.T) {
	b := openBroker(t, newFile(t))
	c := mustConsume(t, b, "q", 1)
	mustEnqueue(t, b, newMessage("q"))
	d := receive(t, c)
	filler := newLargeMessage("other")
	mustEnqueue(t, b, filler)
	fillDisk(t, b)
	d.Settle(broker.Settlement{Verdict: broker.Done, Then: []*broker.Message{newLargeMessage("next"), newMessage("next")}})
	eventually(t, "the outcome waits", func() bool {
		b.writer.mu.Lock()
		defer b.writer.mu.Unlock()
		return b.writer.trouble != nil
	})
	if q, next := queueState(t, b, "q"), queueState(t, b, "next"); q.Running != 1 || next.Ready != 0 {
		t.Errorf("states %+v and %+v, want neither the outcome nor what follows", q, next)
	}
	mustExec(t, openConn(t, b.file), "DELETE FROM dtask_messages WHERE id = ?", filler.ID)
	eventually(t, "both are stored once there is room", func() bool {
		return queueState(t, b, "q").Running == 0 && queueState(t, b, "next").Ready == 2
	})
}

// What follows from an outcome that comes too late is not stored, whatever was
// to become of the message.
func TestThenTooLate(t *testing.T) {
	b := openBroker(t, newFile(t))
	for _, verdict := range []broker.Verdict{broker.Done, broker.Requeue, broker.Dead} {
		c := mustConsume(t, b, "q", 1)
		mustEnqueue(t, b, newMessage("q"))
		held := receive(t, c)
		if err := c.Close(testContext(t)); err != nil {
			t.Fatal(err)
		}
		held.Settle(broker.Settlement{Verdict: verdict, Then: newMessages("next", 2)})
		flush(t, b)
		if q, next := queueState(t, b, "q"), queueState(t, b, "next"); q.Ready != 1 || next.Ready != 0 {
			t.Errorf("verdict %v: states %+v and %+v, want the message and nothing that follows", verdict, q, next)
		}
		again := mustConsume(t, b, "q", 1)
		receive(t, again).Settle(broker.Settlement{Verdict: broker.Done})
		flush(t, b)
		again.Close(testContext(t))
	}
}
