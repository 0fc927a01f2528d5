package rabbitmq

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dtaskhq/dtask/internal/testenv/rabbittest"
	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/codec"
	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/wire"
	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/wire/wiretest"
)

// A server that reads but does not confirm is given up after half a minute, more
// or less.
func TestConfirmTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, s := publishing(t)
		publishOne(t, s)
		took := await(t, s.Done())
		if took < 30*time.Second || took > 45*time.Second {
			t.Errorf("given up after %v", took)
		}
		if err := s.Err().Error(); !strings.Contains(err, "no publisher confirm") || !strings.Contains(err, "quorum_status q") {
			t.Errorf("given up with %q, want the queue", err)
		}
	})
}

// A server that is blocked does not confirm for as long as that takes. When it
// is not any more it has to.
func TestBlockedForLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, s := publishing(t)
		server.Send(wiretest.Method(0, 10, 60, "memory"))
		publishOne(t, s)
		time.Sleep(time.Hour - time.Second) // a tick of the watch comes soon after
		if err := s.Err(); err != nil {
			t.Fatalf("given up while the server is blocked: %v", err)
		}
		server.Send(wiretest.Method(0, 10, 61))
		if took := await(t, s.Done()); took < confirmTimeout || took > 3*confirmTimeout/2 {
			t.Errorf("given up after %v, want from %v to half as much again", took, confirmTimeout)
		}
	})
}

// What was lost on one session may have been enqueued, whatever comes of it on the
// next.
func TestUnknownOutcomeStays(t *testing.T) {
	a := &sending{m: &publication{queue: "q"}, sent: true, returned: true}
	for o, want := range map[wire.Outcome]string{wire.Unroutable: broker.ErrUnroutable.Error(), wire.Refused: "refuses messages"} {
		err := a.conclude(t.Context(), pending{}, o).err
		if !strings.Contains(err.Error(), want) || !errors.Is(err, broker.ErrUnknownOutcome) {
			t.Errorf("error %v, want %q and ErrUnknownOutcome", err, want)
		}
	}
}

// A message that still finds no queue after all was declared again is an error,
// alone and in a batch; it is not tried for ever.
func TestUnroutable(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	b, err := Open(ctx, rabbittest.URL(t), broker.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	ps := make([]*publication, 3)
	for i := range ps {
		if ps[i], err = b.publication(&broker.Message{ID: "i", Task: "t", Queue: "q", Attempt: 1, Attempts: 1}); err != nil {
			t.Fatal(err)
		}
	}
	for _, p := range ps[:2] {
		p.class, p.name = classRenewed, b.topology.renewed("nobody's") // who publishes does not declare it
	}
	if err := b.publish(ctx, ps[0]); !errors.Is(err, broker.ErrUnroutable) {
		t.Errorf("publish: %v, want ErrUnroutable", err)
	}
	errs := make([]error, len(ps))
	b.publishMany(ctx, ps, errs)
	for i, err := range errs {
		if unroutable := errors.Is(err, broker.ErrUnroutable); unroutable != (i < 2) || !unroutable && err != nil {
			t.Errorf("publication %d of a batch: %v", i, err)
		}
	}
}

// publishing returns a session that publishes, and its server, which confirms
// nothing.
func publishing(t *testing.T) (*wiretest.Server, *session) {
	server, s := fakeSession(t)
	if err := openPublisher(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	return server, s
}

func publishOne(t *testing.T, s *session) {
	t.Helper()
	if err := s.pub.reserve(t.Context(), s.pub.window); err != nil {
		t.Fatal(err)
	}
	if _, err := s.pub.send(&codec.Envelope{Body: []byte("{}")}, direct("q")); err != nil {
		t.Fatal(err)
	}
}

// fakeSession returns a session with a server of wiretest.
func fakeSession(t *testing.T) (*wiretest.Server, *session) {
	t.Helper()
	server, client := wiretest.New(t)
	server.Serve()
	conn, err := wire.Open(t.Context(), client, wire.Config{Host: "test", Vhost: "/", Heartbeat: 5 * time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.End(wire.ErrClosed) })
	return server, newSession(conn, "test")
}

// await returns how long it takes until a server is given up.
func await(t *testing.T, end <-chan struct{}) time.Duration {
	t.Helper()
	start := time.Now()
	select {
	case <-end:
	case <-time.After(2 * time.Hour):
		t.Fatal("the server is not given up")
	}
	return time.Since(start)
}
