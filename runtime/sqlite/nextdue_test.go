package sqlite

import (
	"log/slog"
	"testing"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// One query finds out for all classes of a queue when they have their next
// message, whatever other queues hold.
func TestLookUpUnknown(t *testing.T) {
	b := openBroker(t, newFile(t))
	now := time.Now().Truncate(time.Millisecond)
	want := [classes]time.Time{high: now.Add(3 * time.Hour), normal: now.Add(time.Hour), low: never, quarantine: now.Add(4 * time.Hour)}
	later := func(queue string, p broker.Priority, due time.Time) *broker.Message {
		m := newMessage(queue)
		m.Priority, m.NotBefore = p, due
		return m
	}
	alone := later("q", broker.PriorityDefault, want[quarantine])
	mustEnqueue(t, b,
		later("q", broker.PriorityHigh, want[high]),
		later("q", broker.PriorityDefault, now.Add(2*time.Hour)),
		later("q", broker.PriorityDefault, want[normal]),
		later("other", broker.PriorityLow, now.Add(time.Minute)),
		alone,
	)
	conn := openConn(t, b.file)
	mustExec(t, conn, "UPDATE dtask_messages SET quarantine = 1 WHERE id = ?", alone.ID)
	w, c := newWriter(b.target, conn, b.writer.identity, soberClock{}, slog.Default()), &consumer{queue: "q"}
	if err := w.lookUpUnknown(c); err != nil || c.dueAt != want {
		t.Errorf("due at %v, %v, want %v", c.dueAt, err, want)
	}
}
