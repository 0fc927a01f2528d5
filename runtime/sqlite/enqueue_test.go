package sqlite

import (
	"errors"
	"testing"

	"github.com/dtaskhq/dtask/runtime/broker"
)

func TestDuplicate(t *testing.T) {
	b := openBroker(t, newFile(t))
	again := func(m *broker.Message) error { return b.Enqueue(testContext(t), m) }
	m := newMessage("q")
	mustEnqueue(t, b, m)
	if err := again(m); !errors.Is(err, broker.ErrDuplicate) {
		t.Errorf("while it waits: %v, want ErrDuplicate", err)
	}
	errs := b.EnqueueMany(testContext(t), []*broker.Message{newMessage("p"), m, newMessage("p")})
	if errs[0] != nil || !errors.Is(errs[1], broker.ErrDuplicate) || errs[2] != nil {
		t.Errorf("among others: %v", errs)
	}
	many := newMessages("p", 40)
	mustEnqueue(t, b, many[3], many[20])
	many[30] = many[29]
	for i, err := range b.EnqueueMany(testContext(t), many) {
		if wrong := i == 3 || i == 20 || i == 30; wrong != errors.Is(err, broker.ErrDuplicate) {
			t.Errorf("message %d of many: %v", i, err)
		}
	}
	if s := queueState(t, b, "p"); s.Ready != 2+39 {
		t.Errorf("state %+v, want 41 ready", s)
	}
	c := mustConsume(t, b, "q", 1)
	d := receive(t, c)
	if err := again(m); !errors.Is(err, broker.ErrDuplicate) {
		t.Errorf("while it runs: %v, want ErrDuplicate", err)
	}
	d.Settle(broker.Settlement{Verdict: broker.Dead})
	flush(t, b)
	if err := again(m); !errors.Is(err, broker.ErrDuplicate) {
		t.Errorf("while it is dead: %v, want ErrDuplicate", err)
	}
	if n, err := b.DeleteDead(testContext(t), "q", m.ID); n != 1 || err != nil {
		t.Fatalf("delete: %d, %v", n, err)
	}
	mustEnqueue(t, b, m)
	receive(t, c).Settle(broker.Settlement{Verdict: broker.Done})
	flush(t, b)
	mustEnqueue(t, b, m) // done and gone: the id is free
}
