package sqlite

import (
	"testing"

	"github.com/dtaskhq/dtask/runtime/broker"
)

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
