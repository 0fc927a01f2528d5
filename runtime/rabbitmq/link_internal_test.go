package rabbitmq

import (
	"context"
	"log/slog"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// A silentHost accepts connections and says nothing.
type silentHost struct {
	addr     string
	accepted atomic.Bool
}

func newSilentHost(t *testing.T) *silentHost {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	h := &silentHost{addr: l.Addr().String()}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			h.accepted.Store(true)
			t.Cleanup(func() { c.Close() })
		}
	}()
	return h
}

// A silent host leaves time for the next one. When the time is up, the error is of
// a host that was tried.
func TestSilentHosts(t *testing.T) {
	first, second := newSilentHost(t), newSilentHost(t)
	l := newLink(&config{}, nil, slog.Default(), "test", nil)
	connect := func(timeout time.Duration) error {
		l.hosts = newHosts([]string{first.addr, second.addr})
		l.hosts.order = []string{first.addr, second.addr}
		ctx, cancel := context.WithTimeout(t.Context(), timeout)
		defer cancel()
		_, err := l.connect(ctx)
		return err
	}
	if err := connect(minConnectTimeout / 10); err == nil || !strings.Contains(err.Error(), first.addr) {
		t.Errorf("connect: %v, want an error of %s", err, first.addr)
	}
	if second.accepted.Load() {
		t.Error("the second host was tried when the time was up")
	}
	for range 20 { // a machine may be too busy for it
		if connect(2 * minConnectTimeout); second.accepted.Load() {
			return
		}
	}
	t.Error("the second host was never tried")
}

func TestShare(t *testing.T) {
	if d := share(t.Context(), 3); d != connectTimeout {
		t.Errorf("without a deadline: %v, want %v", d, connectTimeout)
	}
	for _, c := range []struct {
		timeout time.Duration
		left    int
		atMost  time.Duration
	}{
		{time.Hour, 2, connectTimeout},
		{8 * time.Second, 4, 2 * time.Second},
		{3 * time.Second, 1, 3 * time.Second},
		{3 * time.Second, 9, minConnectTimeout},
		{minConnectTimeout / 2, 3, minConnectTimeout / 2},
		{-time.Second, 1, -time.Second},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), c.timeout)
		if d := share(ctx, c.left); d > c.atMost {
			t.Errorf("of %v for %d hosts: %v, want %v at most", c.timeout, c.left, d, c.atMost)
		}
		cancel()
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	if d := share(ctx, 1e9); d != minConnectTimeout {
		t.Errorf("for very many hosts: %v, want %v", d, minConnectTimeout)
	}
}

func TestBackoff(t *testing.T) {
	for attempt := range 100 {
		limit := maxBackoff
		if attempt < 7 {
			limit = minBackoff << attempt
		}
		for range 20 {
			if d := backoff(attempt); d < 0 || d > limit {
				t.Fatalf("backoff(%d) = %v, want up to %v", attempt, d, limit)
			}
		}
	}
}
