package sqlite

import (
	"testing"
	"time"

	"github.com/dtaskhq/dtask/internal/testenv/skip"
)

// A commit that was under way when the watch was armed is not noticed by it: the
// writer looks on until that commit must be there.
func TestRestAfterArming(t *testing.T) {
	b := openBroker(t, newFile(t))
	mustEnqueue(t, b, newMessage("q")) // there is a log to listen to
	now := time.Now()
	w := &writer{target: b.target, consumers: []*consumer{{dueAt: [classes]time.Time{never, never, never, never}}}}
	w.consumers[0].writer = w
	if p := w.pause(now); p > idlePause {
		t.Errorf("the first pause is %v, want a look after %v", p, idlePause)
	}
	if w.wal == nil {
		skip.Test(t, "the log cannot be watched here: the writer always looks")
	}
	defer w.wal.close()
	if p := w.pause(now.Add(expectFor)); p > idlePause {
		t.Errorf("the pause %v later is %v, want a look after %v: a commit may take so long", expectFor, p, idlePause)
	}
	if p := w.pause(now.Add(expectFor + time.Millisecond)); p != watchedPause {
		t.Errorf("then it is %v, want %v: all that is written now is noticed", p, watchedPause)
	}
	w.wal.disarm() // as a transaction of this process does
	if p := w.pause(now.Add(time.Minute)); p > idlePause {
		t.Errorf("armed again, the pause is %v, want %v", p, idlePause)
	}
}
