package sqlite

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// fillDisk makes the file as large as it can get.
func fillDisk(t *testing.T, b *Broker) {
	t.Helper()
	if err := b.writer.do(testContext(t), func(conn *conn) error {
		return conn.script("PRAGMA max_page_count = 1") // SQLite makes of it what the file has now
	}); err != nil {
		t.Fatal(err)
	}
}

// newLargeMessage returns a message that does not fit on a full disk.
func newLargeMessage(queue string) *broker.Message {
	m := newMessage(queue)
	m.Body = []byte(`"` + strings.Repeat("x", 900_000) + `"`)
	return m
}

// On a full disk enqueues fail with a typed error, what fits goes in, and
// outcomes are kept until there is room.
func TestDiskFull(t *testing.T) {
	log := captureLog(t)
	b := openBroker(t, newFile(t))
	c := mustConsume(t, b, "q", 5)
	for range 5 {
		mustEnqueue(t, b, newMessage("q"))
	}
	var held []broker.Delivery
	for range 5 {
		held = append(held, receive(t, c))
	}
	filler := newLargeMessage("other")
	mustEnqueue(t, b, filler)
	fillDisk(t, b)

	small := newMessage("other")
	var callers sync.WaitGroup
	for range 8 { // they share transactions
		callers.Go(func() {
			err := b.Enqueue(testContext(t), newLargeMessage("other"))
			if !errors.Is(err, broker.ErrBlocked) || !strings.Contains(err.Error(), "disk is full") {
				t.Errorf("error %v, want ErrBlocked: the disk is full", err)
			}
		})
	}
	errs := b.EnqueueMany(testContext(t), []*broker.Message{newLargeMessage("other"), small, newLargeMessage("other")})
	callers.Wait()
	if errs[0] == nil || errs[2] == nil {
		t.Error("enqueued on a full disk")
	}
	if errs[1] != nil {
		t.Errorf("a message that fits fails for its neighbours: %v", errs[1])
	}

	// Outcomes that need more room than there is wait for it.
	for _, d := range held {
		m := d.Message()
		m.Failures = []broker.Failure{{Attempt: 1, At: time.Now(), Kind: broker.FailureError, Error: strings.Repeat("e", 100_000)}}
		d.Settle(broker.Settlement{Verdict: broker.Dead})
	}
	if err := c.Close(testContext(t)); !errors.Is(err, broker.ErrBlocked) {
		t.Errorf("close: %v, want ErrBlocked: the outcomes are not durable", err)
	}
	if s := queueState(t, b, "q"); s.Dead != 0 || s.Running != 5 {
		t.Fatalf("state %+v, want 5 running: their outcome does not fit", s)
	}
	if !strings.Contains(log(), "the disk is full") {
		t.Errorf("the log does not say why outcomes wait: %q", log())
	}
	mustExec(t, openConn(t, b.file), "DELETE FROM dtask_messages WHERE id = ?", filler.ID)
	eventually(t, "the outcomes are stored once there is room", func() bool { return queueState(t, b, "q").Dead == 5 })
	if n := mustInt(t, openConn(t, b.file), "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check <> 'ok'"); n != 0 {
		t.Error("the file is damaged")
	}
}

// A consumer whose end did not fit on the disk ends when there is room.
func TestCloseOnFullDisk(t *testing.T) {
	file := newFile(t)
	b := openBroker(t, file)
	c := mustConsume(t, b, "q", 2)
	mustEnqueue(t, b, newMessages("q", 2)...)
	held, failed := receive(t, c), receive(t, c)
	filler := newLargeMessage("other")
	mustEnqueue(t, b, filler)
	fillDisk(t, b)
	m := failed.Message()
	m.Failures = []broker.Failure{{Attempt: 1, At: time.Now(), Kind: broker.FailureError, Error: strings.Repeat("e", 100_000)}}
	failed.Settle(broker.Settlement{Verdict: broker.Dead})
	if err := c.Close(testContext(t)); !errors.Is(err, broker.ErrBlocked) {
		t.Errorf("close: %v, want ErrBlocked: an outcome is not durable", err)
	}
	mustExec(t, openConn(t, file), "DELETE FROM dtask_messages WHERE id = ?", filler.ID)
	again := receive(t, mustConsume(t, openBroker(t, file), "q", 1))
	if m := again.Message(); m.ID != held.Message().ID || m.Attempt != 1 {
		t.Errorf("delivered %s at attempt %d, want %s at 1", m.ID, m.Attempt, held.Message().ID)
	}
	again.Settle(broker.Settlement{Verdict: broker.Done})
	if s := queueState(t, b, "q"); s.Dead != 1 {
		t.Errorf("state %+v, want the other one dead", s)
	}
}

// inFailedTransaction calls f, which hands in one operation, so that the
// transaction with this operation fails: it has a message that does not fit on
// the disk.
func inFailedTransaction(t *testing.T, b *Broker, f func() error) {
	t.Helper()
	fillDisk(t, b)
	other := openConn(t, b.file)
	mustExec(t, other, "BEGIN IMMEDIATE")
	var callers sync.WaitGroup
	callers.Go(func() {
		if err := b.Enqueue(testContext(t), newLargeMessage("other")); !errors.Is(err, broker.ErrBlocked) {
			t.Errorf("the message that does not fit: %v, want ErrBlocked", err)
		}
	})
	callers.Go(func() {
		if err := f(); err != nil {
			t.Errorf("for its neighbour fails: %v", err)
		}
	})
	eventually(t, "both wait for the lock", func() bool {
		b.writer.mu.Lock()
		defer b.writer.mu.Unlock()
		return len(b.writer.inbox.inserts) == 1 && len(b.writer.inbox.operations) == 1
	})
	mustExec(t, other, "ROLLBACK")
	callers.Wait()
}

// What an operation changes is taken over by its own process, too, if the
// transaction that it was in at first has failed.
func TestOperationsOfFailedTransaction(t *testing.T) {
	paused := func(t *testing.T, c *consumer) (paused bool) {
		t.Helper()
		if err := c.writer.do(testContext(t), func(*conn) error { paused = c.isPaused(time.Now()); return nil }); err != nil {
			t.Fatal(err)
		}
		return paused
	}
	t.Run("pause", func(t *testing.T) {
		b := openBroker(t, newFile(t))
		c := mustConsume(t, b, "q", 1)
		inFailedTransaction(t, b, func() error { return b.Pause(testContext(t), broker.Pause{What: broker.PauseQueue, Name: "q"}) })
		if !paused(t, c) {
			t.Error("the consumer goes on")
		}
	})
	t.Run("resume", func(t *testing.T) {
		b := openBroker(t, newFile(t))
		c := mustConsume(t, b, "q", 1)
		if err := b.Pause(testContext(t), broker.Pause{What: broker.PauseQueue, Name: "q"}); err != nil {
			t.Fatal(err)
		}
		mustEnqueue(t, b, newMessage("q"))
		inFailedTransaction(t, b, func() error { return b.Resume(testContext(t), broker.PauseQueue, "q") })
		if paused(t, c) {
			t.Error("the consumer stays paused")
		}
		receive(t, c).Settle(broker.Settlement{Verdict: broker.Done})
	})
	t.Run("consume", func(t *testing.T) {
		b := openBroker(t, newFile(t))
		if err := b.Pause(testContext(t), broker.Pause{What: broker.PauseQueue, Name: "q"}); err != nil {
			t.Fatal(err)
		}
		var c broker.Consumer
		inFailedTransaction(t, b, func() (err error) {
			c, err = b.Consume(testContext(t), broker.ConsumeOptions{Queue: "q", Concurrency: 1})
			return err
		})
		if !paused(t, c.(*consumer)) {
			t.Error("a new consumer does not know that the queue is paused")
		}
	})
	t.Run("result", func(t *testing.T) {
		b := openBroker(t, newFile(t))
		c := mustConsume(t, b, "q", 1)
		m := newMessage("q")
		m.Keep = time.Minute
		mustEnqueue(t, b, m)
		d := receive(t, c)
		var change <-chan struct{}
		inFailedTransaction(t, b, func() error {
			change = b.writer.waiters.next()
			d.Settle(broker.Settlement{Verdict: broker.Done})
			return b.Pause(testContext(t), broker.Pause{What: broker.PauseQueue, Name: "other"})
		})
		select {
		case <-change:
		default:
			t.Error("who waits for the result is not told")
		}
	})
}
