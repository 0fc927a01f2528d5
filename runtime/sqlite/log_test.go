package sqlite

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// collector is a handler that keeps what is logged.
type collector struct {
	mu    sync.Mutex
	lines []string
}

func (c *collector) Enabled(context.Context, slog.Level) bool { return true }
func (c *collector) WithAttrs([]slog.Attr) slog.Handler       { return c }
func (c *collector) WithGroup(string) slog.Handler            { return c }

func (c *collector) Handle(_ context.Context, r slog.Record) error {
	line := r.Message
	r.Attrs(func(a slog.Attr) bool {
		line += fmt.Sprintf(" %s=%v", a.Key, a.Value)
		return true
	})
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lines = append(c.lines, line)
	return nil
}

func (c *collector) text() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return strings.Join(c.lines, "\n")
}

// What is the broker's goes to its logger, what is a consumer's to the
// consumer's, and nothing past them. A consumer without one has the broker's.
func TestLoggers(t *testing.T) {
	elsewhere := captureLog(t)
	var brokers, consumers collector
	b, err := Open(testContext(t), "sqlite:"+newFile(t), broker.Config{Logger: slog.New(&brokers)})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	edit := openConn(t, b.file)
	for _, queue := range []string{"q", "r"} {
		m := newMessage(queue)
		mustEnqueue(t, b, m)
		mustExec(t, edit, "UPDATE dtask_messages SET headers = '{' WHERE id = ?", m.ID)
	}
	consumeWith(t, b, broker.ConsumeOptions{Queue: "q", Concurrency: 1, Logger: slog.New(&consumers)})
	consumeWith(t, b, broker.ConsumeOptions{Queue: "r", Concurrency: 1})
	eventually(t, "the damaged messages are dead letters", func() bool {
		return queueState(t, b, "q").Dead == 1 && queueState(t, b, "r").Dead == 1
	})
	if text := consumers.text(); !strings.Contains(text, "queue=q") || strings.Contains(text, "queue=r") {
		t.Errorf("the consumer's log has %q, want what concerns it", text)
	}

	mustEnqueue(t, b, newLargeMessage("other"))
	c := consumeWith(t, b, broker.ConsumeOptions{Queue: "s", Concurrency: 1, Logger: slog.New(&consumers)})
	mustEnqueue(t, b, newMessage("s"))
	d := receive(t, c)
	fillDisk(t, b)
	d.Settle(broker.Settlement{Verdict: broker.Done, Then: []*broker.Message{newLargeMessage("other")}})
	eventually(t, "the broker says that an outcome waits", func() bool { return strings.Contains(brokers.text(), "the disk is full") })
	if text := brokers.text(); !strings.Contains(text, "queue=r") || strings.Contains(text, "queue=q") {
		t.Errorf("the broker's log has %q", text)
	}
	mustExec(t, edit, "DELETE FROM dtask_messages WHERE queue = 'other'")
	if text := elsewhere(); text != "" {
		t.Errorf("past the loggers: %q", text)
	}
}
