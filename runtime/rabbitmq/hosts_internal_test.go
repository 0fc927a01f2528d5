package rabbitmq

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/wire"
	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/wire/wiretest"
)

// A fakeCluster has two hosts, which are servers of wiretest. Those that are bad
// accept connections and do nothing that needs other nodes: they confirm no message,
// and do not answer who wants to consume.
type fakeCluster struct {
	mu      sync.Mutex
	bad     map[string]bool
	ends    bool     // the bad end a connection with INTERNAL_ERROR instead
	dialled []string // hosts, in order
}

func (f *fakeCluster) dial(t *testing.T) func(context.Context, string, time.Duration) (*session, error) {
	return func(ctx context.Context, host string, _ time.Duration) (*session, error) {
		f.mu.Lock()
		f.dialled = append(f.dialled, host)
		f.mu.Unlock()
		server, client := wiretest.New(t)
		server.Handle = func(frame wiretest.Frame) bool {
			consumes, publishes := frame.Method() == 60<<16|20, frame.Method() == 60<<16|40
			f.mu.Lock()
			bad := f.bad[host]
			f.mu.Unlock()
			switch {
			case bad && f.ends && (consumes || publishes):
				server.Send(wiretest.Method(0, 10, 50, uint16(541), "INTERNAL_ERROR", uint16(60), uint16(20)))
			case publishes && !bad:
				server.Send(wiretest.Method(frame.Channel, 60, 80, uint64(1), uint8(0)))
			}
			return bad && consumes
		}
		server.Serve()
		conn, err := wire.Open(ctx, client, wire.Config{Host: host, Vhost: "/", Heartbeat: 5 * time.Hour})
		if err != nil {
			return nil, err
		}
		return newSession(conn, host), nil
	}
}

// turn makes hosts bad, and all others good.
func (f *fakeCluster) turn(bad ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.bad = make(map[string]bool)
	for _, host := range bad {
		f.bad[host] = true
	}
}

func (f *fakeCluster) dials() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.dialled)
}

// link returns a link to the hosts a and b, which tries a first. It proves that it
// works if it does not publish.
func (f *fakeCluster) link(t *testing.T, log *slog.Logger, publishes bool) *link {
	h := newHosts([]string{"a", "b"})
	h.order = []string{"a", "b"}
	l := newLink(&config{hosts: h.inOrder()}, h, log, "testing", func(context.Context, *session) error { return nil })
	if publishes {
		l.setup = openPublisher
	} else {
		l.proof = newTopology("dtask")
	}
	l.dial = f.dial(t)
	if err := l.start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return l
}

// awaitHost waits until a link has a session with a host.
func awaitHost(t *testing.T, l *link, host string, within time.Duration) *session {
	t.Helper()
	start := time.Now()
	for time.Since(start) < within {
		if s := l.current.Load(); s != nil && s.host == host {
			return s
		}
		time.Sleep(time.Second)
	}
	t.Fatalf("no session with %s after %v", host, within)
	panic("unreachable")
}

// Who hears nothing from a host that does not do its work moves to another one, and
// stays there, however the fault shows. It is the same where nobody waits for a
// confirm.
func TestUselessHost(t *testing.T) {
	for name, c := range map[string]struct{ publishes, ends bool }{
		"no confirm":                 {publishes: true},
		"INTERNAL_ERROR, publishing": {publishes: true, ends: true},
		"silence":                    {},
		"INTERNAL_ERROR, consuming":  {ends: true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var said strings.Builder
				f := &fakeCluster{ends: c.ends}
				l := f.link(t, slog.New(slog.NewTextHandler(&said, nil)), c.publishes)
				s := l.current.Load()
				time.Sleep(time.Hour)
				if got := f.dials(); !slices.Equal(got, []string{"a"}) {
					t.Fatalf("connected to %v while a works", got)
				}
				f.turn("a")
				if c.publishes {
					publishOne(t, s)
				}
				s = awaitHost(t, l, "b", silence+confirmTimeout)
				if c.publishes {
					publishOne(t, s)
				}
				time.Sleep(time.Hour)
				if got := f.dials(); !slices.Equal(got, []string{"a", "b"}) {
					t.Errorf("connected to %v, want a and then b", got)
				}
				l.close()
				if !strings.Contains(said.String(), "host=a") || !strings.Contains(said.String(), "host=b") {
					t.Errorf("the log does not name the hosts: %s", said.String())
				}
			})
		})
	}
}

// That publishing has left a host is no reason for consumers to stay.
func TestDoubtfulHostIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeCluster{}
		l := f.link(t, slog.New(slog.DiscardHandler), false)
		f.turn("a")
		l.hosts.fail("a", errors.New("no confirm"))
		awaitHost(t, l, "b", silence+confirmTimeout)
		l.close()
	})
}

// When no host does its work a link does not run from one to the other, and says what
// is wrong until there is one that works.
func TestNoUsefulHost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeCluster{}
		f.turn("a", "b")
		l := f.link(t, slog.New(slog.DiscardHandler), false)
		time.Sleep(time.Hour)
		s := l.current.Load()
		if s == nil || l.hosts.useless(s.host) == nil {
			t.Fatal("the link does not say that its host does nothing")
		}
		if n := len(f.dials()); n > 20 {
			t.Errorf("%d connections within an hour", n)
		}
		f.turn("a")
		s = awaitHost(t, l, "b", 2*maxDistrust)
		time.Sleep(2 * maxDistrust)
		if err := l.hosts.useless(s.host); err != nil {
			t.Errorf("the host that works is doubted: %v", err)
		}
		l.close()
	})
}
