package postgres

import (
	"fmt"
	"testing"

	"github.com/dtaskhq/dtask/internal/testenv/postgrestest"
	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/brokertest"
)

// What was claimed is due until it is delivered: a drain would end before.
func TestDueUntilDelivered(t *testing.T) {
	t.Parallel()
	b := openBroker(t, postgrestest.URL(t))
	due := func() bool {
		t.Helper()
		due, err := b.Due(brokertest.Context(t), "q")
		if err != nil {
			t.Fatal(err)
		}
		return due
	}
	c := brokertest.Consume(t, b, "q", 1)
	brokertest.Consume(t, b, "other", 1)
	brokertest.Enqueue(t, b, newMessage("q"))
	brokertest.Eventually(t, func() string {
		if s := brokertest.State(t, b, "q"); s.Running != 1 {
			return fmt.Sprintf("state %+v, want one claimed", s)
		}
		return ""
	})
	if !due() {
		t.Error("what nobody has received is not due")
	}
	d := brokertest.Receive(t, c)
	brokertest.Eventually(t, func() string {
		if due() { // a look at the table may be under way
			return "what was delivered is due"
		}
		return ""
	})
	d.Settle(broker.Settlement{Verdict: broker.Done})
}
