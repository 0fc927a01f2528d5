package brokertest

import (
	"context"
	"testing"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// Close tells which outcomes may be lost: one that it does not name is durable,
// also if there was no time left for it.
func testUnrecorded(t *testing.T, store Store) {
	url := store(t)
	b := open(t, url)
	for _, patient := range []bool{true, false} {
		const n = 20
		for range n {
			Enqueue(t, b, Message("a"), Message("b"))
		}
		var consumers []broker.Consumer
		recorded := make(map[string]bool)
		for _, queue := range []string{"a", "b"} {
			c, err := b.Consume(Context(t), broker.ConsumeOptions{Queue: queue, Concurrency: n})
			if err != nil {
				t.Fatal(err)
			}
			consumers = append(consumers, c)
			for range n {
				d := Receive(t, c)
				recorded[d.Message().ID] = true
				d.Settle(broker.Settlement{Verdict: broker.Done, Outcome: "done"})
			}
		}
		ctx, cancel := context.WithCancel(Context(t))
		if !patient {
			cancel()
		}
		for _, c := range consumers {
			err := c.Close(ctx)
			us := c.Unrecorded()
			if patient && (err != nil || len(us) > 0) {
				t.Errorf("after Close: %v, not recorded %+v, want all recorded", err, us)
			}
			if len(us) > 0 && err == nil {
				t.Errorf("Close returned nil, and %d outcomes are not recorded", len(us))
			}
			for _, u := range us {
				if !recorded[u.ID] || u.Task != "pkg.Task" || u.Verdict != broker.Done || u.Outcome != "done" {
					t.Errorf("not recorded: %+v", u)
				}
				delete(recorded, u.ID)
			}
		}
		cancel()
		t.Logf("patient %v: %d recorded", patient, len(recorded))
		again := open(t, url)
		for _, queue := range []string{"a", "b"} {
			c := Consume(t, again, queue, n)
			last := Enqueue(t, again, Message(queue))[0]
			for {
				d := Receive(t, c)
				id := d.Message().ID
				d.Settle(broker.Settlement{Verdict: broker.Done})
				if recorded[id] {
					t.Errorf("message %s of queue %s was taken for recorded, and comes again", id, queue)
				}
				if id == last.ID {
					break
				}
			}
			closeConsumer(t, c)
		}
	}
}
