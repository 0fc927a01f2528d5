package rabbitmq_test

import (
	"testing"

	"github.com/dtaskhq/dtask/internal/testenv/rabbittest"
	"github.com/dtaskhq/dtask/runtime/broker"
)

func TestManyDeadLetters(t *testing.T) {
	t.Parallel()
	b := open(t, rabbittest.URL(t))
	const n = 1200 // several batches
	ms := make([]*broker.Message, n)
	for i := range ms {
		ms[i] = message("q")
	}
	for _, err := range b.EnqueueMany(testContext(t), ms) {
		if err != nil {
			t.Fatal(err)
		}
	}
	c := consume(t, b, "q", 10)
	for range n {
		receive(t, c).Settle(broker.Settlement{Verdict: broker.Dead})
	}
	if err := c.Close(testContext(t)); err != nil {
		t.Fatal(err)
	}
	deleted, err := b.DeleteDead(testContext(t), "q", ms[3].ID, ms[n-5].ID)
	if err != nil || deleted != 2 {
		t.Errorf("DeleteDead of two: %d, %v", deleted, err)
	}
	retried, err := b.RetryDead(testContext(t), "q")
	if err != nil || retried != n-2 {
		t.Errorf("RetryDead of all: %d, %v, want %d", retried, err, n-2)
	}
	left, err := b.DeadLetters(testContext(t), "q", n)
	if err != nil || len(left) != 0 {
		t.Errorf("%d dead letters are left, %v", len(left), err)
	}
	seen := make(map[string]bool)
	c = consume(t, b, "q", 10)
	for range n - 2 {
		d := receive(t, c)
		if seen[d.Message().ID] {
			t.Errorf("%s was retried twice", d.Message().ID)
		}
		seen[d.Message().ID] = true
		d.Settle(broker.Settlement{Verdict: broker.Done})
	}
}
