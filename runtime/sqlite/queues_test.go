package sqlite

import (
	"testing"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// Queues counts a message that changes its state while it counts once.
func TestQueuesAtOneMoment(t *testing.T) {
	b := openBroker(t, newFile(t))
	mustEnqueue(t, b, newMessages("other", 2000)...) // something to count meanwhile
	mustEnqueue(t, b, newMessage("q"))
	c := mustConsume(t, openBroker(t, b.file), "q", 1)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for d := range c.Deliveries() {
			d.Settle(broker.Settlement{Verdict: broker.Requeue})
		}
	}()
	for range 100 {
		if s := queueState(t, b, "q"); s.Ready+s.Running+s.Delayed != 1 {
			t.Errorf("state %+v, want the one message once", s)
			break
		}
	}
	c.Stop()
	<-done
}
