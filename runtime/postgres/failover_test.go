package postgres

import (
	"testing"

	"github.com/dtaskhq/dtask/internal/testenv/postgresnode"
	"github.com/dtaskhq/dtask/internal/testenv/postgrestest"
)

// When the primary dies and its standby takes over, whose copy of each commit the primary
// waited for, whoever enqueues and executes goes on there, and nothing is lost.
func TestFailover(t *testing.T) {
	t.Parallel()
	ctx := testContext(t)
	primary := postgrestest.StartNode(t, postgresnode.Options{Config: "synchronous_standby_names = '*'"})
	standby, err := primary.Standby(ctx)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(standby.Stop)
	url := postgresnode.Either(primary, standby)
	f := begin(t, openBroker(t, url))
	other := openBroker(t, url) // which only enqueues
	if err := other.Enqueue(ctx, newMessage("q")); err != nil {
		t.Fatal(err)
	}
	if err := primary.End(postgresnode.Crash); err != nil {
		t.Fatal(err)
	}
	during := make(chan error, 1) // it waits for a primary
	go func() { during <- other.Enqueue(ctx, newMessage("q")) }()
	if err := standby.Promote(ctx); err != nil {
		t.Fatal(err)
	}
	if err := <-during; err != nil {
		t.Errorf("enqueue while there was no primary: %v", err)
	}
	f.more(1000)
	f.end()
}
