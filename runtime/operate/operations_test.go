package operate_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/brokertest"
	"github.com/dtaskhq/dtask/runtime/operate"
	"github.com/dtaskhq/dtask/runtime/sqlite"
)

// awaitState waits until an operation is in a state.
func awaitState(t *testing.T, all *operate.Operations, id string, want operate.OperationState) (op operate.Operation) {
	t.Helper()
	brokertest.Eventually(t, func() string {
		var err error
		if op, err = all.Get(id); err != nil || op.State != want {
			return fmt.Sprintf("operation %+v, %v, want it %s", op, err, want)
		}
		return ""
	})
	return op
}

// Of two operators who retry the same dead letters at once, each letter obeys one, and
// the journal names both.
func TestOperations(t *testing.T) {
	onBrokers(t, func(t *testing.T, b broker.Broker) {
		die(t, b, "mail", 40)
		o, ctx, began := operate.New(b), brokertest.Context(t), time.Now()
		all := operate.NewOperations(o)
		defer all.Close()
		users := []string{"ann", "bob"}
		var plans []*operate.Plan
		for range users {
			plan, err := o.Plan(ctx, selected(t, "state:dead queue:mail"), operate.Retry)
			if err != nil || plan.Messages != 42 {
				t.Fatalf("plan %+v, %v", plan, err)
			}
			plans = append(plans, plan)
		}
		var ids []string
		for i, user := range users {
			page, leave := context.WithCancel(operate.As(ctx, user, "10.0.0.7"))
			id, err := all.Start(page, plans[i], 0)
			if err != nil {
				t.Fatal(err)
			}
			leave() // which stops nothing
			ids = append(ids, id)
		}
		changed, skipped := 0, 0
		for _, id := range ids {
			op := awaitState(t, all, id, operate.OperationDone)
			changed, skipped = changed+op.Changed, skipped+op.Skipped
			if op.Left != 0 || op.Messages != 42 || op.Reason != "" || op.Ended.Before(op.Began) {
				t.Errorf("operation %+v", op)
			}
		}
		if changed != 42 || skipped != 42 {
			t.Errorf("%d changed, %d skipped, want 42 of each", changed, skipped)
		}
		for q, want := range map[string]int{"mail": 42, "images": 0} {
			if s := brokertest.State(t, b, q); s.Ready != want {
				t.Errorf("%s has %d ready, want %d", q, s.Ready, want)
			}
		}
		if list := all.All(); len(list) != 2 || list[0].ID != ids[1] || list[1].User != "ann" {
			t.Errorf("all operations: %+v", list)
		}
		brokertest.Eventually(t, func() string {
			acts, err := o.Acts(ctx, began)
			n := 0
			for _, a := range acts {
				if a.Did == "retried" && a.Planned == 42 && !a.Ended.IsZero() {
					n += a.Changed
				}
			}
			if err != nil || n != 42 {
				return fmt.Sprintf("acts %+v, %v", acts, err)
			}
			return ""
		})
	})
}

// away is a broker that is away after some batches, until it is back; then it is slow if
// somebody has said so.
type away struct {
	*sqlite.Broker
	left atomic.Int64
	deaf atomic.Int64 // so many times the journal is away too, once the broker is
	slow atomic.Bool
	in   chan struct{} // is sent to when a slow batch has begun
}

func (a *away) Retry(ctx context.Context, rs ...broker.Ref) (int, error) {
	if a.slow.Load() {
		a.in <- struct{}{}
		<-ctx.Done()
		return 0, ctx.Err()
	}
	if a.left.Add(-1) == 0 {
		n, _ := a.Broker.Retry(ctx, rs[:1]...) // some of a batch
		return n, errors.New("amqp://user:secret@host/: gone")
	}
	return a.Broker.Retry(ctx, rs...)
}

func (a *away) NoteAct(ctx context.Context, act broker.Act) error {
	if strings.HasPrefix(act.Error, "held: ") && a.deaf.Add(-1) >= 0 {
		return errors.New("gone")
	}
	return a.Broker.NoteAct(ctx, act)
}

// An operation is held when the broker fails, and by hand, says how far it has come, and
// goes on when told; others go on meanwhile. It does not begin a batch that is not due.
func TestOperationsHeld(t *testing.T) {
	b := &away{Broker: open(t, "sqlite:"+filepath.Join(t.TempDir(), "tasks.db")).(*sqlite.Broker), in: make(chan struct{}, 1)}
	b.left.Store(2)
	b.deaf.Store(2)
	die(t, b, "mail", 12)
	die(t, b, "images", 4)
	o, ctx, began := operate.New(b), operate.As(brokertest.Context(t), "ann", "desk"), time.Now()
	all := operate.NewOperations(o)
	defer all.Close()
	start := func(text string, a operate.Action, rate float64) string {
		t.Helper()
		p, err := o.Plan(ctx, selected(t, text), a)
		if err != nil {
			t.Fatal(err)
		}
		id, err := all.Start(ctx, p, rate)
		if err != nil {
			t.Fatal(err)
		}
		return id
	}

	mail := start("state:dead queue:mail", operate.Retry, 4)
	other := start("state:dead queue:images age>0s", operate.Delete, 0)
	op := awaitState(t, all, mail, operate.OperationHeld)
	if op.Changed != 5 || op.Left != 7 || !strings.Contains(op.Reason, "gone") || strings.Contains(op.Reason, "secret") || op.Limit != 4 || op.User != "ann" {
		t.Errorf("the broker was away: %+v", op)
	}
	if op := awaitState(t, all, other, operate.OperationDone); op.Changed != 4 {
		t.Errorf("another operation: %+v", op)
	}
	brokertest.Eventually(t, func() string { // it is held before that is kept
		acts, err := o.Acts(ctx, began)
		if err != nil || len(acts) != 2 || acts[0].Changed != 5 || !strings.HasPrefix(acts[0].Error, "held: ") || !acts[0].Ended.IsZero() {
			return fmt.Sprintf("acts %+v, %v", acts, err)
		}
		return ""
	})
	if err := errors.Join(all.GoOn(mail), all.Hold(operate.As(ctx, "bob", "desk"), mail)); err != nil {
		t.Fatal(err)
	}
	brokertest.Eventually(t, func() string {
		if op, _ = all.Get(mail); op.State != operate.OperationHeld || op.Reason != "held by bob at desk" {
			return fmt.Sprintf("%+v", op)
		}
		return ""
	})
	if err := all.GoOn(mail); err != nil {
		t.Fatal(err)
	}
	if op := awaitState(t, all, mail, operate.OperationDone); op.Changed != 12 || op.Skipped != 0 || op.Left != 0 {
		t.Errorf("gone on: %+v", op)
	}

	die(t, b, "mail", 3)
	b.slow.Store(true)
	stuck := start("state:dead queue:mail", operate.Retry, 0)
	waiting := start("state:dead queue:mail", operate.Move("attic"), 0.001)
	awaitState(t, all, waiting, operate.OperationRunning)
	<-b.in
	if err := all.Stop(ctx, waiting); err != nil {
		t.Fatal(err)
	}
	awaitState(t, all, waiting, operate.OperationStopped)
	if err := errors.Join(all.Stop(ctx, stuck), all.Stop(ctx, stuck)); err != nil {
		t.Fatal(err)
	}
	if op := awaitState(t, all, stuck, operate.OperationStopped); op.Left != 3 || op.Reason != "stopped by ann at desk" {
		t.Errorf("stopped: %+v", op)
	}
	if err := all.GoOn(stuck); !errors.Is(err, operate.ErrNoOperation) {
		t.Errorf("go on with what has ended: %v", err)
	}
	if err := all.Hold(ctx, "nonsense"); !errors.Is(err, operate.ErrNoOperation) {
		t.Errorf("hold nothing: %v", err)
	}
	all.Close()
	p, err := o.Plan(ctx, selected(t, "state:dead"), operate.Delete)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := all.Start(ctx, p, 0); err == nil {
		t.Error("an operation began after the end")
	}
}
