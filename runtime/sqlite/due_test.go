package sqlite

import (
	"testing"
	"time"

	"github.com/dtaskhq/dtask/runtime/dtask"
)

// One query finds out for all classes of a queue when they have their next
// message, whatever other queues hold.
func TestLookUpUnknown(t *testing.T) {
	b := openBroker(t, newFile(t))
	now := time.Now().Truncate(time.Millisecond)
	want := [classes]time.Time{high: now.Add(3 * time.Hour), normal: now.Add(time.Hour), low: never, quarantine: now.Add(4 * time.Hour)}
	later := func(queue string, p dtask.PriorityLevel, due time.Time) *dtask.Message {
		m := newMessage(queue)
		m.Priority, m.NotBefore = p, due
		return m
	}
	alone := later("q", dtask.PriorityDefault, want[quarantine])
	mustEnqueue(t, b,
		later("q", dtask.PriorityHigh, want[high]),
		later("q", dtask.PriorityDefault, now.Add(2*time.Hour)),
		later("q", dtask.PriorityDefault, want[normal]),
		later("other", dtask.PriorityLow, now.Add(time.Minute)),
		alone,
	)
	conn := openConn(t, b.file)
	mustExec(t, conn, "UPDATE dtask_messages SET quarantine = 1 WHERE id = ?", alone.ID)
	w, c := newWriter(b.file, conn), &consumer{queue: "q"}
	if err := w.lookUpUnknown(c); err != nil || c.dueAt != want {
		t.Errorf("due at %v, %v, want %v", c.dueAt, err, want)
	}
}
