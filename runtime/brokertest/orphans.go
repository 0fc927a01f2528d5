package brokertest

import (
	"fmt"
	"slices"
	"testing"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// Queues that have messages and no consumer are named: of this namespace, each
// with its count, and no others.
func testOrphans(t *testing.T, store Store) {
	b, other := open(t, store(t)), open(t, store(t))
	for _, q := range []string{"old", "old", "older", "taken", "paused"} {
		Enqueue(t, b, Message(q))
	}
	Enqueue(t, other, Message("elsewhere"), Message("taken"))
	Consume(t, b, "taken", 1)
	Consume(t, b, "empty", 1)
	if err := pauseQueue(t, b, "paused"); err != nil {
		t.Fatal(err)
	}
	check := func(b broker.Broker, want ...broker.QueueState) {
		t.Helper()
		Eventually(t, func() string {
			got, err := as[broker.Overseer](t, b).Orphans(Context(t))
			if err != nil {
				t.Fatal(err)
			}
			for i := range got {
				got[i].Running, got[i].Delayed = 0, 0 // not every broker knows them
			}
			if !slices.Equal(got, want) {
				return fmt.Sprintf("orphans: %+v, want %+v", got, want)
			}
			return ""
		})
	}
	check(b, broker.QueueState{Queue: "old", Ready: 2}, broker.QueueState{Queue: "older", Ready: 1})
	check(other, broker.QueueState{Queue: "elsewhere", Ready: 1}, broker.QueueState{Queue: "taken", Ready: 1})
	Consume(t, b, "old", 2)
	check(b, broker.QueueState{Queue: "older", Ready: 1})
}
