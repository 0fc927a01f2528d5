package sqlite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// Nothing is left behind: no goroutine, and no file but the database.
func TestCloseLeavesNothing(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	file := newFile(t)
	for range 3 {
		b, err := Open(context.Background(), "sqlite:"+file, broker.Config{})
		if err != nil {
			t.Fatal(err)
		}
		mustEnqueue(t, b, newMessage("q"), newMessage("q"))
		c, err := b.Consume(context.Background(), broker.ConsumeOptions{Queue: "q", Concurrency: 1})
		if err != nil {
			t.Fatal(err)
		}
		(<-c.Deliveries()).Settle(broker.Settlement{Verdict: broker.Done})
		queueState(t, b, "q")
		if err := b.Close(); err != nil { // with the consumer open
			t.Errorf("close: %v", err)
		}
		if err := c.Close(context.Background()); err != nil {
			t.Errorf("close the consumer after its broker: %v", err)
		}
	}
	entries, err := os.ReadDir(filepath.Dir(file))
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 1 {
		t.Errorf("left in the directory: %v", entries)
	}
	b, err := Open(context.Background(), "sqlite:"+file, broker.Config{})
	if err != nil {
		t.Fatal(err)
	}
	if s := queueState(t, b, "q"); s.Ready != 3 || s.Running != 0 {
		t.Errorf("state %+v, want 3 ready", s)
	}
	b.Close()
}

// A broker that is closed while the file is locked waits for it once, however
// much is open, and says what the matter is.
func TestCloseWhileLocked(t *testing.T) {
	t.Parallel()
	for what, want := range map[string]string{
		"consumers": "another program keeps it locked; end its transaction",
		"outcomes":  "outcomes of tasks could not be stored; these tasks will run again: sqlite ",
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
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
