package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/dtaskhq/dtask/internal/testenv/postgrestest"
	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/brokertest"
	"github.com/dtaskhq/dtask/runtime/dtask"
	"github.com/dtaskhq/dtask/runtime/postgres"
	_ "github.com/dtaskhq/dtask/runtime/sqlite"
)

// A cancel in a transaction counts when that is committed: for a message that waits, and
// for one that runs. Nobody who settles other messages waits for the transaction.
func TestCancelInTransaction(t *testing.T) {
	t.Parallel()
	b := open(t, postgrestest.URL(t))
	ctx := dtask.NewContext(brokertest.Context(t), dtask.NewClient(b))
	told := make(chan string, 10)
	c, err := b.Consume(ctx, broker.ConsumeOptions{Queue: "work", Concurrency: 10, Cancelled: func(id string) { told <- id }})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(ctx)
	delay := func(in context.Context, options ...dtask.Option) dtask.Handle[dtask.None] {
		t.Helper()
		h, err := count.Delay(in, numbers{1}, append(options, dtask.Keep(time.Hour))...)
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	for name, begin := range transactions(t, postgrestest.Server(t)) {
		for _, commit := range []bool{false, true} {
			running, other := delay(ctx), delay(ctx)
			ds := map[string]broker.Delivery{}
			for range 2 {
				d := brokertest.Receive(t, c)
				ds[d.Message().ID] = d
			}
			waiting := delay(ctx, dtask.In(time.Hour))
			in, end := begin(ctx)
			own := delay(in, dtask.In(time.Hour))
			for what, h := range map[string]dtask.Handle[dtask.None]{"running": running, "waiting": waiting, "own": own} {
				if err := h.Cancel(in); err != nil {
					t.Fatalf("%s: cancel of the %s one: %v", name, what, err)
				}
			}
			if err := (dtask.Handle[dtask.None]{ID: "nobody"}).Cancel(in); !errors.Is(err, dtask.ErrNoMessage) {
				t.Errorf("%s: cancel of nothing: %v, want ErrNoMessage", name, err)
			}
			ds[other.ID].Settle(broker.Settlement{Verdict: broker.Done})
			recorded(t, b, 1) // while the transaction is open
			if !commit {
				ds[running.ID].Settle(broker.Settlement{Verdict: broker.Done})
				recorded(t, b, 0)
			}
			if err := end(commit); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if !commit {
				if s := brokertest.State(t, b, "work"); s.Delayed != 1 {
					t.Errorf("%s: %+v after a rollback, want the one that waits", name, s)
				}
				if err := waiting.Cancel(ctx); err != nil {
					t.Errorf("%s: %v", name, err)
				}
				continue
			}
			if id := <-told; id != running.ID {
				t.Errorf("%s: told of %s, want %s", name, id, running.ID)
			}
			ds[running.ID].Settle(broker.Settlement{Verdict: broker.Requeue})
			for what, h := range map[string]dtask.Handle[dtask.None]{"running": running, "waiting": waiting, "own": own} {
				if _, err := h.Wait(ctx); !errors.Is(err, dtask.ErrCancelled) {
					t.Errorf("%s: the %s one: %v, want ErrCancelled", name, what, err)
				}
			}
		}
	}
	if len(told) > 0 {
		t.Errorf("told of %s, too", <-told)
	}
	brokertest.Drained(t, b, c, "work")
}

// recorded waits until the outcomes of all but some that run are recorded.
func recorded(t *testing.T, b *postgres.Broker, running int) {
	t.Helper()
	brokertest.Eventually(t, func() string {
		if s := brokertest.State(t, b, "work"); s.Running != running {
			return fmt.Sprintf("%+v, want %d running", s, running)
		}
		return ""
	})
}

// Who cannot cancel in a transaction says so, and does not cancel outside of it.
func TestCancelInTransactionRefused(t *testing.T) {
	t.Parallel()
	ctx := brokertest.Context(t)
	here := dtask.NewContext(ctx, dtask.NewClient(open(t, postgrestest.URL(t))))
	file, err := dtask.Open(ctx, "sqlite:"+filepath.Join(t.TempDir(), "tasks.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for name, begin := range transactions(t, postgrestest.Database(t)) {
		for broker, client := range map[string]context.Context{"another database": here, "SQLite": dtask.NewContext(ctx, file)} {
			h, err := count.Delay(client, numbers{1})
			if err != nil {
				t.Fatal(err)
			}
			in, end := begin(client)
			if err := h.Cancel(in); !errors.Is(err, dtask.ErrTransaction) {
				t.Errorf("%s, %s: %v, want ErrTransaction", name, broker, err)
			}
			end(false)
			if err := h.Cancel(client); err != nil {
				t.Errorf("%s, %s: afterwards: %v", name, broker, err)
			}
		}
	}
}
