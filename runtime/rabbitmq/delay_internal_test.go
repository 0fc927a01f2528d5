package rabbitmq

import (
	"strings"
	"testing"
	"time"

	"github.com/dtaskhq/dtask/internal/limit"
	"github.com/dtaskhq/dtask/runtime/broker"
)

func TestRoutes(t *testing.T) {
	n := names{"ns"}
	for _, c := range []struct {
		delay      time.Duration
		level      int
		bits       string
		expiration string
	}{
		{-time.Second, -1, "", ""},
		{0, -1, "", ""},
		{700 * time.Millisecond, 0, "1", "710"},
		{9 * time.Second, 3, "1.0.1.0", ""},
		{9500 * time.Millisecond, 3, "1.0.1.0", ""},
		{200 * 365 * 24 * time.Hour, 27, strings.Repeat("1.", 27) + "1", ""},
	} {
		r := n.exactly("ns.queue.q", c.delay)
		if r.level != c.level || r.expiration != c.expiration {
			t.Errorf("exactly(%v) = %+v, want level %d, expiration %q", c.delay, r, c.level, c.expiration)
		}
		if c.level >= 0 {
			zeros := strings.Repeat("0.", levels-1-c.level)
			if want := zeros + c.bits + ".ns.queue.q"; r.key != want {
				t.Errorf("exactly(%v) has key %s, want %s", c.delay, r.key, want)
			}
		}
	}
	// A backoff waits at one level, which lasts longer, but not twice as long.
	for d := time.Millisecond; d <= limit.MaxBackoff; d = d*3/2 + time.Millisecond {
		r := n.roughly("q", d)
		lasts := delayUnit << r.level
		if strings.Count(r.key, "1") != 1 || r.expiration == "" || lasts < d || r.level > 0 && lasts >= 2*(d+delayGuard) {
			t.Errorf("roughly(%v) = %+v", d, r)
		}
	}
	if longestKey := limit.MaxNamespace + len(".quarantine.") + broker.MaxQueueName + keyDigits; longestKey > 255 {
		t.Errorf("a routing key can have %d bytes, AMQP has 255", longestKey)
	}
}
