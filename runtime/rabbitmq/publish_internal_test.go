package rabbitmq

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/dtaskhq/dtask/internal/testenv/rabbittest"
	"github.com/dtaskhq/dtask/runtime/dtask"
)

// A server that reads but does not confirm is given up after half a minute, more
// or less.
func TestConfirmTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ch, server, _ := publishing(t)
		go io.Copy(io.Discard, server)
		publish(t, ch, "a")
		took := await(t, ch.session.closed)
		if took < 30*time.Second || took > 45*time.Second {
			t.Errorf("given up after %v", took)
		}
		if err := ch.session.err.Error(); !strings.Contains(err, "no publisher confirm") || !strings.Contains(err, "quorum_status q") {
			t.Errorf("given up with %q, want the queue", err)
		}
	})
}

// A server that is blocked neither reads nor confirms for as long as that takes.
// When it is not any more it has to.
func TestBlockedForLong(t *testing.T) {
	for _, reads := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			ch, server, blocking := publishing(t)
			blocking <- amqp.Blocking{Active: true}
			synctest.Wait()
			publish(t, ch, "a")
			time.Sleep(time.Hour - time.Second) // a tick of the watch comes soon after
			if s := ch.session; isClosed(s.closed) || isClosed(s.stream.flushed) {
				t.Fatalf("given up while the server is blocked: %v, %v", s.err, s.stream.err)
			}
			blocking <- amqp.Blocking{Active: false}
			if !reads {
				if took := await(t, ch.session.stream.flushed); took > 20*time.Second {
					t.Errorf("given up after %v, though the server does not read", took)
				}
				return
			}
			go io.Copy(io.Discard, server)
			if took := await(t, ch.session.closed); took < confirmTimeout || took > 3*confirmTimeout/2 {
				t.Errorf("given up after %v, want from %v to half as much again", took, confirmTimeout)
			}
		})
	}
}

// What was lost on one session may have been enqueued, whatever comes of it on the
// next.
func TestUnknownOutcomeStays(t *testing.T) {
	a := &attempt{m: &publication{queue: "q"}, sent: true, returned: true}
	for o, want := range map[outcome]error{unroutable: dtask.ErrUnroutable, refused: dtask.ErrQueueFull} {
		w := pending{c: &confirmation{done: make(chan outcome, 1)}}
		w.c.done <- o
		err := a.judge(t.Context(), w).err
		if !errors.Is(err, want) || !errors.Is(err, dtask.ErrUnknownOutcome) {
			t.Errorf("error %v, want %v and ErrUnknownOutcome", err, want)
		}
	}
}

// A message that still finds no queue after all was declared again is an error,
// alone and in a batch; it is not tried for ever.
func TestUnroutable(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	b, err := Open(ctx, rabbittest.URL(t))
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	ps := make([]*publication, 3)
	for i := range ps {
		if ps[i], err = b.publication(&dtask.Message{ID: "i", Task: "t", Queue: "q", Attempt: 1, Attempts: 1}); err != nil {
			t.Fatal(err)
		}
	}
	for _, p := range ps[:2] {
		p.class, p.name = classRenewed, b.topology.renewed("nobody's") // who publishes does not declare it
	}
	if err := b.publish(ctx, ps[0]); !errors.Is(err, dtask.ErrUnroutable) {
		t.Errorf("publish: %v, want ErrUnroutable", err)
	}
	errs := make([]error, len(ps))
	b.publishMany(ctx, ps, errs)
	for i, err := range errs {
		if unroutable := errors.Is(err, dtask.ErrUnroutable); unroutable != (i < 2) || !unroutable && err != nil {
			t.Errorf("publication %d of a batch: %v", i, err)
		}
	}
}

// publishing returns a channel of a session that publishes to a server that does
// not read, and where it is told whether the server is blocked.
func publishing(t *testing.T) (*channel, net.Conn, chan<- amqp.Blocking) {
	ch, server := piped(t)
	ch.session.conn = closedConn()
	t.Cleanup(func() { ch.end(errSessionClosed) })
	p := &pubChannel{ch: ch, session: ch.session}
	blocking := make(chan amqp.Blocking)
	go p.watch(blocking)
	return ch, server, blocking
}

// closedConn returns a connection of the library that is closed already.
func closedConn() *amqp.Connection {
	client, server := net.Pipe()
	server.Close()
	conn, _ := amqp.Open(client, amqp.Config{})
	synctest.Wait()
	return conn
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
