package rabbitmq_test

import (
	"errors"
	"testing"
	"time"

	"github.com/dtaskhq/dtask/internal/testenv/rabbittest"
	"github.com/dtaskhq/dtask/runtime/broker"
)

// Two namespaces in one virtual host do not see each other, nor disturb each
// other, with the same names for everything.
func TestNamespaces(t *testing.T) {
	t.Parallel()
	noLeaks(t)
	url := rabbittest.URL(t)
	mine, other := open(t, url), open(t, rabbittest.Within(t, url, "_queue"))
	ctx := testContext(t)

	tick(t, other, "pkg.Task", nil)
	if last := lastTick(t, mine, "pkg.Task"); !last.IsZero() {
		t.Errorf("last tick %v, want none", last)
	}
	ready, delayed, dead := kept("q"), kept("q"), kept("q")
	enqueue(t, other, dead)
	settle(t, other, "q", 1, func(*broker.Message) broker.Settlement { return broker.Settlement{Verdict: broker.Dead} })
	delayed.NotBefore = time.Now().Add(2 * time.Second)
	enqueue(t, other, ready, delayed)
	if err := mine.Pause(ctx, broker.Pause{What: broker.PauseQueue, Name: "q"}); err != nil {
		t.Fatal(err)
	}

	for _, m := range []*broker.Message{ready, dead} {
		checkNoResult(t, mine, m.ID)
	}
	if due, err := mine.Due(ctx, "q"); due || err != nil {
		t.Errorf("due: %v, %v", due, err)
	}
	if ms, err := mine.DeadLetters(ctx, "q", 10); len(ms) > 0 || err != nil {
		t.Errorf("dead letters: %v, %v", ms, err)
	}
	for _, act := range []func() (int, error){
		func() (int, error) { return mine.Purge(ctx, "q") },
		func() (int, error) { return mine.RetryDead(ctx, "q") },
		func() (int, error) { return mine.DeleteDead(ctx, "q") },
	} {
		if n, err := act(); n > 0 || err != nil {
			t.Errorf("did it to %d, %v", n, err)
		}
	}
	if states, err := mine.Queues(ctx); len(states) != 1 || !states[0].Paused || states[0].Ready+states[0].Dead > 0 || err != nil {
		t.Errorf("queues: %+v, %v", states, err)
	}
	if states, err := other.Queues(ctx); len(states) != 1 || states[0].Paused || states[0].Dead != 1 || err != nil {
		t.Errorf("queues of the other: %+v, %v", states, err)
	}
	execute(t, other, "q", 2)
	if err := errors.Join(checkValue(ctx, other, ready), checkValue(ctx, other, delayed)); err != nil {
		t.Error(err)
	}
}
