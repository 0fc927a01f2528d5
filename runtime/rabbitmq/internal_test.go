package rabbitmq

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	dtask "github.com/dtaskhq/dtask/runtime"
)

func TestParseURL(t *testing.T) {
	c, err := parseURL("amqp://us%2fer:p%40ss@h1,h2:5673,[::1]:5674/v%2fh?namespace=ns&heartbeat=7")
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"h1:5672", "h2:5673", "[::1]:5674"}; !slices.Equal(c.hosts, want) {
		t.Errorf("hosts %v, want %v", c.hosts, want)
	}
	if c.user != "us/er" || c.password != "p@ss" || c.vhost != "v/h" || c.namespace != "ns" || c.heartbeat != 7*time.Second || c.tls != nil {
		t.Errorf("parsed as %+v", c)
	}
	c, err = parseURL("amqps://host")
	if err != nil {
		t.Fatal(err)
	}
	if c.hosts[0] != "host:5671" || c.user != "guest" || c.vhost != "/" || c.namespace != "dtask" || c.tls == nil {
		t.Errorf("defaults are %+v", c)
	}
}

// A wrong URL gets an error that helps and hides the password.
func TestParseURLErrors(t *testing.T) {
	for raw, want := range map[string]string{
		"amqp://u:geheim@h:x/":                      "port",
		"amqp://u:geheim?x@h":                       "port",
		"amqp://u:geheim/x@h":                       "port",
		"amqp://u:geheim%zz@h":                      "%25",
		"amqp://u:geheim@":                          "host is missing",
		"amqp://u:geheim@h,,i":                      "host is missing",
		"amqp://u:geheim@h/a/b":                     "virtual host",
		"amqp:geheim":                               "use amqp://",
		"amqp://u:geheim@h?nmaespace=x":             "unknown parameter",
		"amqp://u:geheim@h?namespace=":              "namespace",
		"amqp://u:geheim@h?heartbeat=0":             "heartbeat",
		"amqp://u:geheim@h?ca=x":                    "needs TLS",
		"amqps://u:geheim@h?ca=/nonexistent":        "ca:",
		"amqps://u:geheim@h?cert=x":                 "together",
		"amqps://u:geheim@h?auth=external":          "client certificate",
		"amqp://u:geheim@h?heartbeat=1&heartbeat=2": "twice",
	} {
		_, err := parseURL(raw)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "geheim") {
			t.Errorf("parseURL(%q): %v, want %q and no password", raw, err, want)
		}
	}
}

// The levels of a route are the bits of a delay that is never too short.
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
	for d := time.Millisecond; d <= dtask.MaxBackoff; d = d*3/2 + time.Millisecond {
		r := n.roughly("q", d)
		lasts := delayUnit << r.level
		if strings.Count(r.key, "1") != 1 || r.expiration == "" || lasts < d || r.level > 0 && lasts >= 2*(d+delayGuard) {
			t.Errorf("roughly(%v) = %+v", d, r)
		}
	}
	if longestKey := maxNamespace + len(".quarantine.") + dtask.MaxQueueName + keyDigits; longestKey > 255 {
		t.Errorf("a routing key can have %d bytes, AMQP has 255", longestKey)
	}
}

// The prefetch grows for fast tasks and shrinks for slow ones.
func TestPace(t *testing.T) {
	now := time.Unix(0, 0)
	p := newPace(10, now)
	run := func(each time.Duration, n int) {
		for range n {
			now = now.Add(each)
			p.delivered++
			p.adapt(func() time.Time { return now }, false)
		}
	}
	if p.prefetch != 11 {
		t.Errorf("prefetch %d at first, want 11", p.prefetch)
	}
	run(20*time.Microsecond, 5000)
	if p.prefetch != maxPrefetch {
		t.Errorf("prefetch %d for fast tasks, want %d", p.prefetch, maxPrefetch)
	}
	for range 3 {
		now = now.Add(time.Second)
		p.delivered = 2
		p.adapt(func() time.Time { return now }, true)
	}
	if p.prefetch != 11 {
		t.Errorf("prefetch %d for slow tasks, want 11", p.prefetch)
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

// However long its history, a message fits into a frame.
func TestLongHistory(t *testing.T) {
	m := &dtask.Message{ID: "i", Task: "t", Queue: "q", Attempt: 1, Attempts: 1}
	for range dtask.MaxFailures {
		m.Failures = append(m.Failures, dtask.Failure{Error: strings.Repeat("\x00", dtask.MaxErrorSize), Stack: strings.Repeat("\x01", dtask.MaxStackSize)})
	}
	p, err := encode(m)
	if err != nil {
		t.Fatal(err)
	}
	if size := len(p.Headers[headerFailures].(string)); size > maxFailures {
		t.Errorf("the history has %d bytes, want up to %d", size, maxFailures)
	}
	m.Headers = map[string]string{"h": strings.Repeat("x", maxUserHeaders)}
	if _, err := encode(m); !errors.Is(err, dtask.ErrTooLarge) {
		t.Errorf("headers of %d bytes: %v, want ErrTooLarge", maxUserHeaders, err)
	}
	m.Headers = map[string]string{strings.Repeat("x", 300): ""}
	if _, err := encode(m); !errors.Is(err, dtask.ErrTooLarge) {
		t.Errorf("a header name of 300 bytes: %v, want ErrTooLarge", err)
	}
}

// The user's headers arrive under their names, even reserved ones.
func TestReservedHeaders(t *testing.T) {
	m := &dtask.Message{ID: "i", Task: "t", Queue: "q", Attempt: 1, Attempts: 1, Headers: map[string]string{
		"x-request-id": "1", "dtask-attempt": "2", "timestamp_in_ms": "3", "plain": "4", "dtask-header-x": "5",
	}}
	p, err := encode(m)
	if err != nil {
		t.Fatal(err)
	}
	d := amqp.Delivery{Headers: p.Headers, MessageId: p.MessageId, Type: p.Type}
	got, err := decode(&d, classDefault, "q")
	if err != nil {
		t.Fatal(err)
	}
	if !maps.Equal(got.Headers, m.Headers) {
		t.Errorf("headers %v, want %v", got.Headers, m.Headers)
	}
}

// Whatever a message holds, decoding it returns or fails; what was decoded is
// valid, and can be stored again.
func FuzzDecode(f *testing.F) {
	f.Add("t", "id", []byte("{}"), "dtask-attempts", "many", int64(3), uint8(0))
	f.Add("", "", []byte(nil), "dtask-failures", "[{}]", int64(-1), uint8(9))
	f.Add("t", "id", []byte("x"), "x-delivery-count", "", int64(1)<<62, uint8(4))
	f.Fuzz(func(t *testing.T, task, id string, body []byte, header, text string, number int64, priority uint8) {
		for _, value := range []any{nil, text, number, int32(number), uint8(number), true, amqp.Table{header: text}, []any{text}, time.Unix(number, 0)} {
			d := amqp.Delivery{Type: task, MessageId: id, Body: body, Priority: priority, Headers: amqp.Table{header: value}}
			deliveryCount(&d)
			forward(&d)
			m, err := decode(&d, classDead, "q")
			if err != nil {
				continue
			}
			if len(id) <= dtask.MaxIDSize && len(task) <= dtask.MaxTaskName {
				if err := m.Validate(); err != nil {
					t.Errorf("decoded %+v, which is invalid: %v", m, err)
				}
			}
			if len(m.Headers) == 0 {
				if _, err := encode(&m); err != nil {
					t.Errorf("decoded %+v, which cannot be encoded: %v", m, err)
				}
			}
		}
	})
}
