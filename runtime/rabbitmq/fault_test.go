package rabbitmq_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/dtaskhq/dtask/internal/testenv/rabbittest"
	"github.com/dtaskhq/dtask/runtime/broker"
)

func TestConnectionCut(t *testing.T) {
	t.Parallel()
	noLeaks(t)
	proxy, url := rabbittest.ProxyURL(t, rabbittest.URL(t))
	b := open(t, url)
	l := startLoad(t, b, "q")
	for range 5 {
		l.progress(50)
		proxy.Cut()
	}
	l.progress(50)
	l.finish()
}

func TestHalfOpen(t *testing.T) {
	t.Parallel()
	noLeaks(t)
	proxy, url := rabbittest.ProxyURL(t, rabbittest.URL(t))
	b := open(t, url+"&heartbeat=1")
	l := startLoad(t, b, "q")
	l.progress(50)
	for range 2 {
		proxy.Freeze()
		// Both connections are given up; the new ones hang in the handshake.
		eventually(t, func() string {
			if n := proxy.Accepted(); n < 4 {
				return "the silent connections are not given up"
			}
			return ""
		})
		proxy.Cut()
		proxy.Resume()
		l.progress(50)
		proxy.Forget()
	}
	l.finish()
}

func TestExecutedOnce(t *testing.T) {
	t.Parallel()
	noLeaks(t)
	proxy, url := rabbittest.ProxyURL(t, rabbittest.URL(t))
	b := open(t, url)
	c := consume(t, b, "q", 4)
	m, timeless := message("q"), message("q")
	timeless.EnqueuedAt = time.Time{}
	otherTask, otherBody := *m, *m
	otherTask.Task = "pkg.Other"
	otherBody.Body = []byte(`{"n":2}`)
	enqueue(t, b, m, timeless, &otherTask, &otherBody)
	ds := []broker.Delivery{receive(t, c), receive(t, c), receive(t, c), receive(t, c)}
	what := func(m *broker.Message) string { return fmt.Sprintf("%s %s(%s)", m.ID, m.Task, m.Body) }
	proxy.Freeze()
	for _, d := range ds {
		if w := what(d.Message()); w == what(m) || w == what(timeless) {
			d.Settle(broker.Settlement{Verdict: broker.Done})
		}
	}
	proxy.Cut()
	proxy.Resume()
	again := map[string]bool{what(timeless): true, what(&otherTask): true, what(&otherBody): true}
	for len(again) > 0 {
		d := receive(t, c)
		if w := what(d.Message()); !again[w] || d.Message().Attempt != 2 {
			t.Fatalf("delivered %s at attempt %d, want one of %v at 2", w, d.Message().Attempt, again)
		}
		delete(again, what(d.Message()))
		d.Settle(broker.Settlement{Verdict: broker.Done})
	}
	later := *m
	later.EnqueuedAt = m.EnqueuedAt.Add(time.Second)
	enqueue(t, b, &later)
	if d := receive(t, c); what(d.Message()) != what(m) || d.Message().Attempt != 1 {
		t.Errorf("delivered %s at attempt %d, want %s at 1", what(d.Message()), d.Message().Attempt, what(m))
	} else {
		d.Settle(broker.Settlement{Verdict: broker.Done})
	}
}

func TestHalfOpenAfterDial(t *testing.T) {
	t.Parallel()
	noLeaks(t)
	proxy, url := rabbittest.ProxyURL(t, rabbittest.URL(t))
	b := open(t, url+"&heartbeat=1")
	proxy.Freeze()
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	if err := b.Enqueue(ctx, message("q")); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("enqueue into silence: %v, want the error of the context", err)
	}
	eventually(t, func() string {
		if proxy.Accepted() < 2 {
			return "the silence is not noticed"
		}
		return ""
	})
	proxy.Cut()
	proxy.Resume()
	enqueue(t, b, message("q"))
}

func TestStaleSettlement(t *testing.T) {
	t.Parallel()
	noLeaks(t)
	raw := rabbittest.URL(t)
	proxy, url := rabbittest.ProxyURL(t, raw)
	victim, other := open(t, url), open(t, raw)
	c := consume(t, victim, "q", 4) // two slots stay with the stale ones
	enqueue(t, victim, message("q"), message("q"))
	stale := []broker.Delivery{receive(t, c), receive(t, c)}

	taker := consume(t, other, "q", 2)
	proxy.Cut()
	for range stale {
		receive(t, taker).Settle(broker.Settlement{Verdict: broker.Done}) // taken over
	}
	if err := taker.Close(testContext(t)); err != nil {
		t.Fatal(err)
	}
	enqueue(t, other, message("q"), message("q"))
	fresh := []broker.Delivery{receive(t, c), receive(t, c)}
	for i, v := range []broker.Verdict{broker.Done, broker.Requeue} {
		stale[i].Settle(broker.Settlement{Verdict: v})
	}
	if err := c.Close(testContext(t)); err != nil { // gives up the fresh ones
		t.Fatal(err)
	}
	got := make(map[string]bool)
	again := consume(t, other, "q", 2)
	for range fresh {
		d := receive(t, again)
		got[d.Message().ID] = true
		d.Settle(broker.Settlement{Verdict: broker.Done})
	}
	for _, d := range fresh {
		if !got[d.Message().ID] {
			t.Errorf("%s was removed by a stale settlement", d.Message().ID)
		}
	}
}

func TestCloseSilent(t *testing.T) {
	t.Parallel()
	proxy, url := rabbittest.ProxyURL(t, rabbittest.URL(t))
	b := open(t, url+"&heartbeat=300")
	c := consume(t, b, "q", 1)
	enqueue(t, b, message("q"))
	receive(t, c)
	proxy.Freeze()
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	closed := make(chan error)
	go func() { closed <- c.Close(ctx) }()
	select {
	case err := <-closed:
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("closed: %v, want the end of the context", err)
		}
	case <-time.After(patience):
		t.Error("Close waits for an answer")
	}
	proxy.Cut()
	proxy.Resume()
}
