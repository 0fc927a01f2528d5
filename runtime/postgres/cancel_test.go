package postgres

import (
	"slices"
	"testing"
	"time"

	"github.com/dtaskhq/dtask/internal/testenv/postgrestest"
	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/brokertest"
)

// consumeTold consumes a queue, and passes on which messages were cancelled.
func consumeTold(t *testing.T, b *Broker, told chan<- string) broker.Consumer {
	t.Helper()
	c, err := b.Consume(testContext(t), broker.ConsumeOptions{Queue: "q", Concurrency: 10, Cancelled: func(id string) { told <- id }})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Of two messages in the hands of a consumer that is closed, or whose outcome is a retry,
// the one that was cancelled ends, and the other one waits again. Who does not hear of
// notifications is told all the same.
func TestCancelEnds(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(t *testing.T, c broker.Consumer, ds []broker.Delivery){
		"Close": func(t *testing.T, c broker.Consumer, _ []broker.Delivery) {},
		"Requeue": func(t *testing.T, c broker.Consumer, ds []broker.Delivery) {
			for _, d := range ds {
				d.Settle(broker.Settlement{Verdict: broker.Requeue})
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := postgrestest.URL(t)
			b, operator := openBroker(t, url), openBroker(t, url)
			b.place.direct = false
			told := make(chan string, 10)
			c := consumeTold(t, b, told)
			cancelled, other := newMessage("q"), newMessage("q")
			cancelled.Keep, other.Keep = time.Hour, time.Hour
			brokertest.Enqueue(t, b, cancelled, other)
			ds := []broker.Delivery{brokertest.Receive(t, c), brokertest.Receive(t, c)}
			if whats, err := operator.Cancel(testContext(t), cancelled.ID, "nobody", cancelled.ID); err != nil ||
				!slices.Equal(whats, []broker.Cancellation{broker.CancelAsked, broker.CancelNothing, broker.CancelAsked}) {
				t.Fatalf("cancel: %v, %v", whats, err)
			}
			if id := <-told; id != cancelled.ID {
				t.Errorf("told of %s", id)
			}
			for _, d := range ds {
				if d.Cancelled() != (d.Message().ID == cancelled.ID) {
					t.Errorf("%s: cancelled %v", d.Message().ID, d.Cancelled())
				}
			}
			c.Stop()
			end(t, c, ds)
			if err := c.Close(testContext(t)); err != nil {
				t.Fatal(err)
			}
			if r, err := operator.Result(testContext(t), cancelled.ID); !r.Cancelled || err != nil {
				t.Errorf("result %+v, %v", r, err)
			}
			if s, err := operator.Stored(testContext(t), other.ID); s.State != broker.StateReady || err != nil {
				t.Errorf("the other message: %+v, %v", s, err)
			}
			if n := one[int](t, b, "SELECT count(*) FROM dtask_messages"); n != 1 {
				t.Errorf("%d messages, want 1", n)
			}
		})
	}
}

// The repairs of what nobody holds end what was cancelled, too.
func TestCancelRepair(t *testing.T) {
	t.Parallel()
	b := openBroker(t, postgrestest.URL(t))
	told := make(chan string, 10)
	c := consumeTold(t, b, told)
	cancelled, other := newMessage("q"), newMessage("q")
	brokertest.Enqueue(t, b, cancelled, other)
	for range 2 {
		brokertest.Receive(t, c)
	}
	if _, err := b.Cancel(testContext(t), cancelled.ID); err != nil {
		t.Fatal(err)
	}
	exec(t, b, "UPDATE dtask_messages SET owner = -1") // nobody's
	if d := brokertest.Receive(t, c); d.Message().ID != other.ID {
		t.Errorf("%s runs again", d.Message().ID)
	}
	if n := one[int](t, b, "SELECT count(*) FROM dtask_messages"); n != 1 {
		t.Errorf("%d messages, want 1", n)
	}
}
