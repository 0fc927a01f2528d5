package postgres

import (
	"testing"
	"time"

	"github.com/dtaskhq/dtask/internal/testenv/postgrestest"
	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/brokertest"
)

// What comes to wait below the floor is found, though nobody tells of it: a transaction
// that commits late, say.
func TestBelowFloor(t *testing.T) {
	t.Parallel()
	b := openBroker(t, postgrestest.URL(t))
	c := brokertest.Consume(t, b, "q", 1)
	for range 3 {
		brokertest.Enqueue(t, b, newMessage("q"))
		brokertest.Receive(t, c).Settle(broker.Settlement{Verdict: broker.Done})
		exec(t, b, "INSERT INTO dtask_messages (id, task, queue, due, enqueued_at) SELECT 'late', 't', 'q', past, past FROM (SELECT now() - interval '1 hour' AS past) AS p")
		d := brokertest.Receive(t, c)
		if d.Message().ID != "late" {
			t.Errorf("received %s", d.Message().ID)
		}
		d.Settle(broker.Settlement{Verdict: broker.Done})
		brokertest.Drained(t, b, c, "q")
	}
}

// A look at everything that takes long is not made often.
func TestFullLooksAreBounded(t *testing.T) {
	now := time.Now()
	f := floor{below: true}
	looks := func(after time.Duration) bool { f.begin(now.Add(after)); return f.full }
	if !looks(0) {
		t.Fatal("what may wait below is not looked for")
	}
	f.end(now, now.Add(500*time.Millisecond))
	if looks(time.Minute) {
		t.Error("nothing waits below, and is looked for")
	}
	f.below = true
	if looks(4 * time.Second) {
		t.Error("looks take more than a tenth of the time")
	}
	if !looks(5 * time.Second) {
		t.Error("what may wait below is not looked for again")
	}
	f.end(now, now.Add(time.Hour))
	f.below = true
	if !looks(maxFullPause) {
		t.Error("a look is put off for too long")
	}
}
