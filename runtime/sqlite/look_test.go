package sqlite

import (
	"testing"
	"time"

	"github.com/dtaskhq/dtask/internal/testenv/skip"
)

// A commit that was under way when the bell was armed does not ring it: the
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
	if w.bell == nil {
		skip.Test(t, "no bell rings here: the writer always looks on")
	}
	defer w.bell.close()
	if p := w.pause(now.Add(expectFor)); p > idlePause {
		t.Errorf("the pause %v later is %v, want a look after %v: a commit may take so long", expectFor, p, idlePause)
	}
	if p := w.pause(now.Add(expectFor + time.Millisecond)); p != belledPause {
		t.Errorf("then it is %v, want %v: all that is written now rings the bell", p, belledPause)
	}
	w.bell.disarm() // as a transaction of this process does
	if p := w.pause(now.Add(time.Minute)); p > idlePause {
		t.Errorf("armed again, the pause is %v, want %v", p, idlePause)
	}
}
