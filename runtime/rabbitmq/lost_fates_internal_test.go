package rabbitmq

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// What cannot be moved is tried again soon at first, and spread over a longer time as
// the trouble lasts. Another queue has nothing to do with it.
func TestSpread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var f fates
		trouble := errors.New("no leader")
		want := func(queue string, want time.Duration) {
			t.Helper()
			if got := f.spread(queue); got != want {
				t.Errorf("queue %s: spread %v, want %v", queue, got, want)
			}
		}
		want("a", leastSpread)
		if !f.note("a", trouble) || f.note("a", trouble) {
			t.Error("what is news is not said once")
		}
		want("a", leastSpread)
		time.Sleep(90 * time.Second)
		if f.failed("a") != nil || !f.note("a", trouble) {
			t.Error("a fate is trusted for longer than a minute")
		}
		want("a", 90*time.Second)
		want("b", leastSpread)
		time.Sleep(7 * time.Minute)
		f.note("a", trouble)
		want("a", mostSpread)
		f.note("a", nil)
		f.note("a", trouble)
		want("a", leastSpread)
		time.Sleep(fateMemory)
		f.note("b", nil)
		if len(f.queues) != 1 {
			t.Errorf("%d queues are known after a while without a word of them", len(f.queues))
		}
	})
}
