package postgres

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/dtaskhq/dtask/internal/testenv/postgrestest"
	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/brokertest"
)

// While a process runs a suspect, others leave theirs waiting, and hold back nothing.
func TestGateOfOthers(t *testing.T) {
	t.Parallel()
	url := postgrestest.URL(t)
	busy, other := openBroker(t, url), openBroker(t, url)
	suspects := []*broker.Message{newMessage("p"), newMessage("q")}
	for _, m := range suspects {
		brokertest.Enqueue(t, busy, m)
	}
	exec(t, busy, "UPDATE dtask_messages SET crashes = 1, quarantine = 1")
	alone := brokertest.Receive(t, brokertest.Consume(t, busy, "p", 1))
	c := brokertest.Consume(t, other, "q", 1)
	for range 5 {
		brokertest.Enqueue(t, other, newMessage("q"))
		d := brokertest.Receive(t, c)
		if d.Message().ID == suspects[1].ID {
			t.Fatal("two suspects run at once")
		}
		d.Settle(broker.Settlement{Verdict: broker.Done})
	}
	alone.Settle(broker.Settlement{Verdict: broker.Done})
	d := brokertest.Receive(t, c)
	if d.Message().ID != suspects[1].ID {
		t.Error("the other suspect is not next")
	}
	d.Settle(broker.Settlement{Verdict: broker.Done})
}

// A suspect is run alone also where others enqueue all the time: what they say of
// their messages does not open the gate that is shut for it.
func TestGateUnderLoad(t *testing.T) {
	t.Parallel()
	url := postgrestest.URL(t)
	b, other := openBroker(t, url), openBroker(t, url)
	suspect := newMessage("q")
	brokertest.Enqueue(t, b, suspect)
	exec(t, b, "UPDATE dtask_messages SET crashes = 1, quarantine = 1, due = statement_timestamp() + interval '1 second'")
	c := brokertest.Consume(t, b, "q", 2)
	ctx, stop := context.WithCancel(testContext(t))
	var enqueuing sync.WaitGroup
	defer enqueuing.Wait()
	defer stop()
	enqueuing.Go(func() {
		for ctx.Err() == nil {
			if err := other.Enqueue(ctx, newMessage("q")); err != nil && ctx.Err() == nil {
				t.Error(err)
			}
			time.Sleep(10 * time.Millisecond)
		}
	})
	done := broker.Settlement{Verdict: broker.Done}
	for ordinary := range 20 {
		d := brokertest.Receive(t, c)
		if d.Message().ID == suspect.ID {
			d.Settle(done)
			return
		}
		// They overlap: at no time is nothing running by chance.
		time.AfterFunc(time.Duration(300+100*(ordinary%2))*time.Millisecond, func() { d.Settle(done) })
	}
	t.Error("many others ran, and the suspect did not")
}
