package sqlite

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// While another program holds the lock, an enqueue waits as long as its
// context does. If that ends, it has not happened, and the error says why.
func TestLockedFile(t *testing.T) {
	b := openBroker(t, newFile(t))
	other := openConn(t, b.file)
	mustExec(t, other, "BEGIN IMMEDIATE")
	patient := make(chan error)
	go func() { patient <- b.Enqueue(testContext(t), newMessage("q")) }()

	ctx, cancel := context.WithTimeout(context.Background(), 500*time.Millisecond)
	defer cancel()
	err := b.Enqueue(ctx, newMessage("q"))
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "another program keeps it locked") {
		t.Errorf("error %v, want the context's, and the reason", err)
	}
	if err := b.Pause(ctx, broker.Pause{What: broker.PauseQueue, Name: "q"}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("an operation: %v, want the error of the context", err)
	}
	mustExec(t, other, "ROLLBACK")
	if err := <-patient; err != nil {
		t.Errorf("the one that waited: %v", err)
	}
	if s := queueState(t, b, "q"); s.Ready != 1 {
		t.Errorf("state %+v, want 1 ready: the one that failed was not enqueued", s)
	}
}

// Outcomes reported while the file is locked are stored when it no longer is.
func TestSettleWhileLocked(t *testing.T) {
	b := openBroker(t, newFile(t))
	c := mustConsume(t, b, "q", 1)
	mustEnqueue(t, b, newMessage("q"))
	d := receive(t, c)
	other := openConn(t, b.file)
	mustExec(t, other, "BEGIN IMMEDIATE")
	d.Settle(broker.Settlement{Verdict: broker.Done}) // does not wait
	mustExec(t, other, "ROLLBACK")
	flush(t, b)
	if s := queueState(t, b, "q"); s.Running != 0 || s.Ready != 0 {
		t.Errorf("state %+v, want nothing left", s)
	}
}

// What a failed transaction leaves behind waits in the inbox while the file is
// locked: who gives up takes it back, and hears what is stored already.
func TestSalvageWhileLocked(t *testing.T) {
	file := newFile(t)
	openBroker(t, file)
	c, err := openFile(testContext(t), at(file))
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	w := newWriter(at(file), c, identity{}, soberClock{}, slog.Default())
	other := openConn(t, file)
	newInsert := func(n int) *insert {
		r := newInsert(n)
		for i := range r.records {
			r.records[i], _ = newRecord(newMessage("q"), time.Now())
		}
		return r
	}
	early, late, patient := newInsert(3), newInsert(1), newInsert(1)
	early.known = 1 // the first is stored
	op := newOperation(func(*conn) error { return nil }, nil)
	outcome := settlement{delivery: &delivery{consumer: &consumer{queue: "q"}}, verdict: broker.Done}
	salvage := func(in inbox) {
		mustExec(t, other, "BEGIN IMMEDIATE")
		w.salvage(in)
		mustExec(t, other, "ROLLBACK")
	}

	salvage(inbox{operations: []*operation{op}})
	salvage(inbox{inserts: []*insert{early, late, patient}, operations: w.take().operations})
	if !w.takeBack(early, context.Canceled) {
		t.Fatal("a message cannot be taken back")
	}
	if errs := early.fail(context.Canceled); errs[0] != nil || errs[1] != context.Canceled || errs[2] != context.Canceled {
		t.Errorf("errors %v, want those of the messages that are not stored", errs)
	}
	in := w.take()
	if w.takeBack(late, context.Canceled) {
		t.Fatal("a message is taken back that is not in the inbox")
	}
	salvage(inbox{settlements: []settlement{outcome}, inserts: in.inserts, operations: in.operations})
	select {
	case <-late.done:
		if late.errs[0] != context.Canceled {
			t.Errorf("error %v, want that of the caller's context", late.errs[0])
		}
	default:
		t.Error("a caller that has given up waits on")
	}
	in = w.take()
	if len(in.settlements) != 1 || len(in.inserts) != 1 || len(in.operations) != 1 {
		t.Fatalf("%d outcomes, %d inserts and %d operations are left, want one of each", len(in.settlements), len(in.inserts), len(in.operations))
	}
	w.salvage(in)
	for _, done := range []chan struct{}{patient.done, op.done} {
		select {
		case <-done:
		default:
			t.Error("without the lock it is not done")
		}
	}
	if n := mustInt(t, other, "SELECT count(*) FROM dtask_messages"); n != 1 {
		t.Errorf("%d messages, want the one that waited", n)
	}
}
