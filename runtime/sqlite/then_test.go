package sqlite

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// An outcome with a message to follow that cannot be stored is not stored
// either. The task runs again, at the cost of an attempt, and the log of the
// consumer says why.
func TestThenInvalid(t *testing.T) {
	b := openBroker(t, newFile(t))
	var log collector
	c := consumeWith(t, b, broker.ConsumeOptions{Queue: "q", Concurrency: 1, Logger: slog.New(&log)})
	m := newMessage("q")
	m.Keep = time.Hour
	mustEnqueue(t, b, m)
	sound, bad := newMessage("next"), newMessage("next")
	bad.Body = make([]byte, broker.MaxBodySize+1)
	receive(t, c).Settle(broker.Settlement{Verdict: broker.Done, Result: []byte("1"), Then: []*broker.Message{sound, bad}})

	d := receive(t, c)
	if got := d.Message(); got.ID != m.ID || got.Attempt != 2 {
		t.Errorf("delivered %s at attempt %d, want %s at 2", got.ID, got.Attempt, m.ID)
	}
	if s := queueState(t, b, "next"); s.Ready != 0 {
		t.Errorf("state %+v, want nothing of what was to follow", s)
	}
	if text := log.text(); !strings.Contains(text, m.ID) || !strings.Contains(text, "message too large") {
		t.Errorf("the log of the consumer says %q", text)
	}
	d.Settle(broker.Settlement{Verdict: broker.Done, Then: []*broker.Message{sound}})
	flush(t, b)
	if s := queueState(t, b, "next"); s.Ready != 1 {
		t.Errorf("state %+v, want the message that follows", s)
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
