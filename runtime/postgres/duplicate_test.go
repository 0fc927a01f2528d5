package postgres

import (
	"errors"
	"sync"
	"testing"

	"github.com/dtaskhq/dtask/internal/testenv/postgrestest"
	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/brokertest"
)

// Among many messages that share statements some are there already, before anybody has
// seen one and after it: these are refused, and no other.
func TestDuplicatesAmongOthers(t *testing.T) {
	t.Parallel()
	b := openBroker(t, postgrestest.URL(t))
	first := newMessage("q")
	brokertest.Enqueue(t, b, first)
	if b.inserter.sawDuplicate() {
		t.Fatal("a duplicate was seen in an empty table")
	}
	for range 2 {
		var all sync.WaitGroup
		for i := range 100 {
			all.Go(func() {
				m := newMessage("q")
				if i%10 == 0 {
					m.ID = first.ID
				}
				err := b.Enqueue(testContext(t), m)
				if i%10 == 0 && !errors.Is(err, broker.ErrDuplicate) || i%10 != 0 && err != nil {
					t.Errorf("message %d: %v", i, err)
				}
			})
		}
		all.Wait()
		if !b.inserter.sawDuplicate() {
			t.Error("no duplicate was seen")
		}
	}
	if s := brokertest.State(t, b, "q"); s.Ready != 181 {
		t.Errorf("%+v, want 181 messages", s)
	}
}
