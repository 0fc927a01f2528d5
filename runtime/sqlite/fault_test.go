package sqlite

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
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
		if err := c.writer.do(testContext(t), func(*conn) error { paused = c.paused; return nil }); err != nil {
			t.Fatal(err)
		}
		return paused
	}
	t.Run("pause", func(t *testing.T) {
		b := openBroker(t, newFile(t))
		c := mustConsume(t, b, "q", 1)
		inFailedTransaction(t, b, func() error { return b.Pause(testContext(t), "q") })
		if !paused(t, c) {
			t.Error("the consumer goes on")
		}
	})
	t.Run("resume", func(t *testing.T) {
		b := openBroker(t, newFile(t))
		c := mustConsume(t, b, "q", 1)
		if err := b.Pause(testContext(t), "q"); err != nil {
			t.Fatal(err)
		}
		mustEnqueue(t, b, newMessage("q"))
		inFailedTransaction(t, b, func() error { return b.Resume(testContext(t), "q") })
		if paused(t, c) {
			t.Error("the consumer stays paused")
		}
		receive(t, c).Settle(broker.Settlement{Verdict: broker.Done})
	})
	t.Run("consume", func(t *testing.T) {
		b := openBroker(t, newFile(t))
		if err := b.Pause(testContext(t), "q"); err != nil {
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
			return b.Pause(testContext(t), "other")
		})
		select {
		case <-change:
		default:
			t.Error("who waits for the result is not told")
		}
	})
}

// A worker that can claim nothing says why, and does not keep trying without a
// pause.
func TestClaimFails(t *testing.T) {
	for what, damage := range map[string]string{
		"when it looks":   "DROP INDEX dtask_waiting",
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
			w := newWriter(at(file), c, slog.Default())
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

// What a failed transaction leaves behind waits in the inbox while the file is
// locked: who gives up takes it back, and hears what is stored already.
func TestSalvageWhileLocked(t *testing.T) {
	file := newFile(t)
	openBroker(t, file)
	c, err := openFile(testContext(t), at(file))
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	w := newWriter(at(file), c, slog.Default())
	other := openConn(t, file)
	newInsert := func(n int) *insert {
		r := newInsert(n)
		for i := range r.records {
			r.records[i], _ = newRecord(newMessage("q"), time.Now())
		}
		return r
	}
	early, late, patient := newInsert(3), newInsert(1), newInsert(1)
	early.known = 1 // the first is stored
	op := newOperation(func(*conn) error { return nil }, nil)
	outcome := settlement{delivery: &delivery{consumer: &consumer{queue: "q"}}, verdict: broker.Done}
	salvage := func(in inbox) {
		mustExec(t, other, "BEGIN IMMEDIATE")
		w.salvage(in)
		mustExec(t, other, "ROLLBACK")
	}

	salvage(inbox{operations: []*operation{op}})
	salvage(inbox{inserts: []*insert{early, late, patient}, operations: w.take().operations})
	if !w.takeBack(early, context.Canceled) {
		t.Fatal("a message cannot be taken back")
	}
	if errs := early.fail(context.Canceled); errs[0] != nil || errs[1] != context.Canceled || errs[2] != context.Canceled {
		t.Errorf("errors %v, want those of the messages that are not stored", errs)
	}
	in := w.take()
	if w.takeBack(late, context.Canceled) {
		t.Fatal("a message is taken back that is not in the inbox")
	}
	salvage(inbox{settlements: []settlement{outcome}, inserts: in.inserts, operations: in.operations})
	select {
	case <-late.done:
		if late.errs[0] != context.Canceled {
			t.Errorf("error %v, want that of the caller's context", late.errs[0])
		}
	default:
		t.Error("a caller that has given up waits on")
	}
	in = w.take()
	if len(in.settlements) != 1 || len(in.inserts) != 1 || len(in.operations) != 1 {
		t.Fatalf("%d outcomes, %d inserts and %d operations are left, want one of each", len(in.settlements), len(in.inserts), len(in.operations))
	}
	w.salvage(in)
	for _, done := range []chan struct{}{patient.done, op.done} {
		select {
		case <-done:
		default:
			t.Error("without the lock it is not done")
		}
	}
	if n := mustInt(t, other, "SELECT count(*) FROM dtask_messages"); n != 1 {
		t.Errorf("%d messages, want the one that waited", n)
	}
}

// While another program holds the lock, an enqueue waits as long as its
// context does. If that ends, it has not happened, and the error says why.
func TestLockedFile(t *testing.T) {
	b := openBroker(t, newFile(t))
	other := openConn(t, b.file)
	mustExec(t, other, "BEGIN IMMEDIATE")
	patient := make(chan error)
	go func() { patient <- b.Enqueue(testContext(t), newMessage("q")) }()

	ctx, cancel := context.WithTimeout(context.Background(), 500*time.Millisecond)
	defer cancel()
	err := b.Enqueue(ctx, newMessage("q"))
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "another program keeps it locked") {
		t.Errorf("error %v, want the context's, and the reason", err)
	}
	if err := b.Pause(ctx, "q"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("an operation: %v, want the error of the context", err)
	}
	mustExec(t, other, "ROLLBACK")
	if err := <-patient; err != nil {
		t.Errorf("the one that waited: %v", err)
	}
	if s := queueState(t, b, "q"); s.Ready != 1 {
		t.Errorf("state %+v, want 1 ready: the one that failed was not enqueued", s)
	}
}

// Outcomes reported while the file is locked are stored when it no longer is.
func TestSettleWhileLocked(t *testing.T) {
	b := openBroker(t, newFile(t))
	c := mustConsume(t, b, "q", 1)
	mustEnqueue(t, b, newMessage("q"))
	d := receive(t, c)
	other := openConn(t, b.file)
	mustExec(t, other, "BEGIN IMMEDIATE")
	d.Settle(broker.Settlement{Verdict: broker.Done}) // does not wait
	mustExec(t, other, "ROLLBACK")
	flush(t, b)
	if s := queueState(t, b, "q"); s.Running != 0 || s.Ready != 0 {
		t.Errorf("state %+v, want nothing left", s)
	}
}

// A broker that is closed while the file is locked waits for it once, however
// much is open, and says what the matter is.
func TestCloseWhileLocked(t *testing.T) {
	for what, want := range map[string]string{
		"consumers": "another program keeps it locked; end its transaction",
		"outcomes":  "outcomes of tasks could not be stored; these tasks will run again: sqlite ",
	} {
		t.Run(what, func(t *testing.T) {
			b, err := Open(testContext(t), "sqlite:"+newFile(t), broker.Config{})
			if err != nil {
				t.Fatal(err)
			}
			var consumers []broker.Consumer
			for i := range 4 {
				c, err := b.Consume(testContext(t), broker.ConsumeOptions{Queue: fmt.Sprint("q", i), Concurrency: 2})
				if err != nil {
					t.Fatal(err)
				}
				consumers = append(consumers, c)
			}
			mustEnqueue(t, b, newMessages("q0", 2)...)
			d := <-consumers[0].Deliveries()
			eventually(t, "one more is fetched", func() bool { return len(consumers[0].Deliveries()) == 1 })
			other := openConn(t, b.file)
			mustExec(t, other, "BEGIN IMMEDIATE")
			if what == "outcomes" {
				d.Settle(broker.Settlement{Verdict: broker.Done})
			}
			err = b.Close()
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Fatalf("error %v, want %q", err, want)
			}
			if strings.Count(err.Error(), "locked;") != 1 || strings.Count(err.Error(), b.file) != 1 || strings.Contains(err.Error(), "\n") {
				t.Errorf("error %q, want the file and the reason once, in one line", err)
			}
			for i, c := range consumers {
				if _, open := <-c.Deliveries(); open {
					t.Errorf("the deliveries of consumer %d go on", i)
				}
			}
			mustExec(t, other, "ROLLBACK")
			if locks, err := filepath.Glob(b.lockPrefix() + "*"); err != nil || len(locks) != 1 {
				t.Errorf("lock files %v (%v), want one, by which others see that the process is gone", locks, err)
			}
			again := mustConsume(t, openBroker(t, b.file), "q0", 1)
			for range 2 {
				receive(t, again).Settle(broker.Settlement{Verdict: broker.Done})
			}
		})
	}
}

// A consumer that is closed gives up its messages even if nobody waits for it.
func TestCloseWithEndedContext(t *testing.T) {
	file := newFile(t)
	b := openBroker(t, file)
	mustEnqueue(t, b, newMessage("q"))
	c := mustConsume(t, b, "q", 1)
	held := receive(t, c)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := c.Close(ctx); err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("close: %v", err)
	}
	again := receive(t, mustConsume(t, openBroker(t, file), "q", 1))
	if m := again.Message(); m.ID != held.Message().ID || m.Attempt != 1 {
		t.Errorf("delivered %s at attempt %d, want %s at 1", m.ID, m.Attempt, held.Message().ID)
	}
	again.Settle(broker.Settlement{Verdict: broker.Done})
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

// A consumer that comes with the end of the broker is refused: nobody would end
// its deliveries.
func TestConsumeWhileClosing(t *testing.T) {
	b := openBroker(t, newFile(t))
	b.writer.mu.Lock()
	b.writer.inbox.closing = true // the writer sees it when it sees the consumer
	b.writer.mu.Unlock()
	if _, err := b.Consume(testContext(t), broker.ConsumeOptions{Queue: "q", Concurrency: 1}); !errors.Is(err, broker.ErrClosed) {
		t.Errorf("error %v, want ErrClosed", err)
	}
}

func TestDuplicate(t *testing.T) {
	b := openBroker(t, newFile(t))
	again := func(m *broker.Message) error { return b.Enqueue(testContext(t), m) }
	m := newMessage("q")
	mustEnqueue(t, b, m)
	if err := again(m); !errors.Is(err, broker.ErrDuplicate) {
		t.Errorf("while it waits: %v, want ErrDuplicate", err)
	}
	errs := b.EnqueueMany(testContext(t), []*broker.Message{newMessage("p"), m, newMessage("p")})
	if errs[0] != nil || !errors.Is(errs[1], broker.ErrDuplicate) || errs[2] != nil {
		t.Errorf("among others: %v", errs)
	}
	many := newMessages("p", 40)
	mustEnqueue(t, b, many[3], many[20])
	many[30] = many[29]
	for i, err := range b.EnqueueMany(testContext(t), many) {
		if wrong := i == 3 || i == 20 || i == 30; wrong != errors.Is(err, broker.ErrDuplicate) {
			t.Errorf("message %d of many: %v", i, err)
		}
	}
	if s := queueState(t, b, "p"); s.Ready != 2+39 {
		t.Errorf("state %+v, want 41 ready", s)
	}
	c := mustConsume(t, b, "q", 1)
	d := receive(t, c)
	if err := again(m); !errors.Is(err, broker.ErrDuplicate) {
		t.Errorf("while it runs: %v, want ErrDuplicate", err)
	}
	d.Settle(broker.Settlement{Verdict: broker.Dead})
	flush(t, b)
	if err := again(m); !errors.Is(err, broker.ErrDuplicate) {
		t.Errorf("while it is dead: %v, want ErrDuplicate", err)
	}
	if n, err := b.DeleteDead(testContext(t), "q", m.ID); n != 1 || err != nil {
		t.Fatalf("delete: %d, %v", n, err)
	}
	mustEnqueue(t, b, m)
	receive(t, c).Settle(broker.Settlement{Verdict: broker.Done})
	flush(t, b)
	mustEnqueue(t, b, m) // done and gone: the id is free
}

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

// A long-running worker that fetched ahead gives back what it does not get to.
func TestHoardIsShed(t *testing.T) {
	file := newFile(t)
	b := openBroker(t, file)
	c := mustConsume(t, b, "q", 1)
	mustEnqueue(t, b, newMessages("q", 3000)...)
	for range 2000 { // at this rate it fetches ahead
		receive(t, c).Settle(broker.Settlement{Verdict: broker.Done})
	}
	receive(t, c) // and now it is busy
	other := mustConsume(t, openBroker(t, file), "q", 1)
	for range 999 {
		receive(t, other).Settle(broker.Settlement{Verdict: broker.Done})
	}
}
