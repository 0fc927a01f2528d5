package rabbitmq_test

import (
	"context"
	"testing"
	"time"

	"github.com/dtaskhq/dtask/internal/testenv/rabbittest"
	"github.com/dtaskhq/dtask/runtime/broker"
)

// Under an alarm outcomes that need no more than an acknowledgement are recorded,
// and those that are to be published are named as not recorded: of each queue, and
// no others. After the alarm exactly these messages come again.
func testBlockedOutcomes(t *testing.T, n *rabbittest.Node) {
	b := open(t, nodeURL(t, n))
	const each = 5
	queues := []string{"p", "q"}
	for range each {
		for _, q := range queues {
			enqueue(t, b, message(q))
			enqueue(t, b, kept(q))
		}
	}
	n.MemoryAlarm(true)
	defer n.MemoryAlarm(false)
	lost := make(map[string]bool)
	for _, q := range queues {
		c := consume(t, b, q, 2*each)
		for range 2 * each {
			d := receive(t, c)
			if d.Message().Keep > 0 {
				lost[d.Message().ID] = true
			}
			d.Settle(broker.Settlement{Verdict: broker.Done, Outcome: "done", Result: []byte("1")})
		}
		if us := c.Unrecorded(); len(us) != each {
			t.Errorf("%d outcomes of %s are under way, want %d", len(us), q, each)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if c.Close(ctx) == nil {
			t.Error("Close returned nil, and outcomes are not recorded")
		}
		us := c.Unrecorded()
		if len(us) != each {
			t.Errorf("%d outcomes of %s are not recorded, want %d: %+v", len(us), q, each, us)
		}
		for _, u := range us {
			if !lost[u.ID] || u.Outcome != "done" {
				t.Errorf("not recorded: %+v", u)
			}
		}
	}
	n.MemoryAlarm(false)
	for _, q := range queues {
		c := consume(t, b, q, 2*each)
		for range each {
			d := receive(t, c)
			if !lost[d.Message().ID] {
				t.Errorf("message %s of %s comes again, and its outcome was recorded", d.Message().ID, q)
			}
			d.Settle(broker.Settlement{Verdict: broker.Done, Result: []byte("1")})
		}
	}
}
