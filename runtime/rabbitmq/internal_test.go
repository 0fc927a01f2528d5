package rabbitmq

import (
	"errors"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dtaskhq/dtask/internal/limit"
	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/wire"
)

func TestParseURL(t *testing.T) {
	c, err := parseURL("amqp://us%2fer:p%40ss@h1,h2:5673,[::1]:5674,[::1]/v%2fh?namespace=ns&heartbeat=7")
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"h1:5672", "h2:5673", "[::1]:5674", "[::1]:5672"}; !slices.Equal(c.hosts, want) {
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
		"amqp://u:geheim@::1/":                      "write it as [::1]",
		"amqp://u:geheim@fe80::a:5672":              "write it as [::1]",
		"amqp://u:geheim@h,[::1:5672/":              "write it as [::1]",
		"amqp://u:geheim@[]:5672":                   "host is missing",
		"amqp://u:geheim@":                          "host is missing",
		"amqp://u:geheim@h,,i":                      "host is missing",
		"amqp://u:geheim@h/a/b":                     "virtual host",
		"amqp://user:2024?geheim@localhost/":        "'?' as %3f",
		"amqp://user:2024?geheim&x@localhost/":      "'?' as %3f",
		"amqp://u:a@b?geheim@h?namespace=x":         "'?' as %3f",
		"amqp:geheim":                               "use amqp://",
		"amqp://u:geheim@h?nmaespace=x":             "unknown parameter",
		"amqp://u:geheim@h?namespace=":              "namespace",
		"amqp://u:geheim@h?namespace=a.b":           "namespace",
		"amqp://u:geheim@h?namespace=amq":           "namespace",
		"amqp://u:geheim@h?heartbeat=0":             "heartbeat",
		"amqp://u:geheim@h?consumer_timeout=2":      "consumer_timeout",
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
	for d := time.Millisecond; d <= limit.MaxBackoff; d = d*3/2 + time.Millisecond {
		r := n.roughly("q", d)
		lasts := delayUnit << r.level
		if strings.Count(r.key, "1") != 1 || r.expiration == "" || lasts < d || r.level > 0 && lasts >= 2*(d+delayGuard) {
			t.Errorf("roughly(%v) = %+v", d, r)
		}
	}
	if longestKey := maxNamespace + len(".quarantine.") + broker.MaxQueueName + keyDigits; longestKey > 255 {
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
	m := &broker.Message{ID: "i", Task: "t", Queue: "q", Attempt: 1, Attempts: 1}
	for range broker.MaxFailures {
		m.Failures = append(m.Failures, broker.Failure{Error: strings.Repeat("\x00", broker.MaxErrorSize), Stack: strings.Repeat("\x01", broker.MaxStackSize)})
	}
	p, err := encode(m)
	if err != nil {
		t.Fatal(err)
	}
	v, _ := p.Headers.Get(headerFailures)
	if history, ok := v.Text(); !ok || len(history) > maxFailures {
		t.Errorf("the history has %d bytes, want up to %d", len(history), maxFailures)
	}
	m.Headers = map[string]string{"h": strings.Repeat("x", maxUserHeaders)}
	if _, err := encode(m); !errors.Is(err, broker.ErrTooLarge) {
		t.Errorf("headers of %d bytes: %v, want ErrTooLarge", maxUserHeaders, err)
	}
	m.Headers = map[string]string{strings.Repeat("x", 300): ""}
	if _, err := encode(m); !errors.Is(err, broker.ErrTooLarge) {
		t.Errorf("a header name of 300 bytes: %v, want ErrTooLarge", err)
	}
}

// Where frames are small, a history is cut to what fits, the newest failures first,
// and nothing else of the message.
func TestShorten(t *testing.T) {
	m := &broker.Message{
		ID: "i", Task: "t", Queue: "q", Attempt: 3, Attempts: 6, Headers: map[string]string{"tenant": "blue"},
		Failures: []broker.Failure{{Attempt: 1, Error: "refused"}, {Attempt: 2, Error: "boom", Stack: strings.Repeat("x", 5000)}},
	}
	whole, err := encode(m)
	if err != nil {
		t.Fatal(err)
	}
	v, _ := whole.Headers.Get(headerFailures)
	text, _ := v.Text()
	if p := whole; p.shorten(len(text)-1) || p.Headers != whole.Headers {
		t.Error("a history of one byte")
	}
	for room, want := range map[int]string{
		len(text) - 1: "boom with a stack",
		200:           "refused, boom",
		100:           "boom",
		2:             "",
	} {
		p := whole
		if by := len(text) - room; !p.shorten(by) || p.Size() > whole.Size()-by {
			t.Errorf("%d bytes are to be shorter by %d, and become %d", whole.Size(), by, p.Size())
		}
		got, err := decode(&wire.Delivery{Properties: p.Properties}, classDefault, "q")
		if err != nil || got.Attempt != 3 || got.Headers["tenant"] != "blue" {
			t.Errorf("decoded as %+v, %v", got, err)
		}
		var history []string
		for _, f := range got.Failures {
			if f.Stack != "" {
				f.Error += " with a stack"
			}
			history = append(history, f.Error)
		}
		if got := strings.Join(history, ", "); got != want {
			t.Errorf("in %d bytes: %q, want %q", room, got, want)
		}
	}
}

// The user's headers arrive under their names, even reserved ones.
func TestReservedHeaders(t *testing.T) {
	m := &broker.Message{ID: "i", Task: "t", Queue: "q", Attempt: 1, Attempts: 1, Headers: map[string]string{
		"x-request-id": "1", "dtask-attempt": "2", "timestamp_in_ms": "3", "plain": "4", "dtask-header-x": "5", "CC": "6", "BCC": "7",
	}}
	p, err := encode(m)
	if err != nil {
		t.Fatal(err)
	}
	for name := range p.Headers.All() {
		if name != "plain" && !strings.HasPrefix(name, headerEscape) && name != headerAttempts {
			t.Errorf("header %s goes to RabbitMQ under its own name", name)
		}
	}
	got, err := decode(&wire.Delivery{Properties: p.Properties}, classDefault, "q")
	if err != nil {
		t.Fatal(err)
	}
	if !maps.Equal(got.Headers, m.Headers) {
		t.Errorf("headers %v, want %v", got.Headers, m.Headers)
	}
}

// A message that is published again has its headers, but for those that are
// RabbitMQ's: it would go where the producer has sent it already.
func TestForward(t *testing.T) {
	var h, changes wire.Builder
	h.Texts("CC", "third")
	h.Text("BCC", "fourth")
	h.Text("x-death", "expired")
	h.Text("tenant", "blue")
	h.Int(headerAttempt, 1)
	changes.Int(headerAttempt, 2)
	again := forward(&wire.Delivery{Properties: wire.Properties{Headers: h.Table()}}, changes.Table())

	var want wire.Builder
	want.Text("tenant", "blue")
	want.Int(headerAttempt, 2)
	if again.Headers != want.Table() {
		t.Errorf("headers %q, want %q", again.Headers, want.Table())
	}
}

// The priority of a message is known wherever it goes, but RabbitMQ must not heed
// it.
func TestPriority(t *testing.T) {
	m := &broker.Message{ID: "i", Task: "t", Queue: "q", Attempt: 1, Attempts: 6}
	for _, m.Priority = range []broker.Priority{broker.PriorityLow, broker.PriorityDefault, broker.PriorityHigh} {
		p, err := encode(m)
		if err != nil {
			t.Fatal(err)
		}
		theirs := p
		theirs.Headers, theirs.Priority = "", map[broker.Priority]byte{broker.PriorityLow: 1, broker.PriorityHigh: 9}[m.Priority]
		for _, e := range []envelope{p, theirs} {
			dead := forward(&wire.Delivery{Properties: e.Properties}, "")
			got, err := decode(&wire.Delivery{Properties: dead.Properties}, classDead, "q")
			if err != nil || got.Priority != m.Priority || dead.Priority != 0 {
				t.Errorf("%v arrives as %v, %v, with the AMQP priority %d", m.Priority, got.Priority, err, dead.Priority)
			}
		}
	}
}

// A time that is in the id is not sent twice; others are kept to the
// millisecond all the same.
func TestEnqueuedAt(t *testing.T) {
	const id, other = "017f22e2-79b0-7cc3-98c4-dc0c0c07398f", "an id of the user's"
	at := time.UnixMilli(0x017f22e279b0)
	for _, c := range []struct {
		id     string
		at     time.Time
		header bool
	}{
		{id, at, false},
		{strings.ToUpper(id), at, false},
		{id, at.Add(time.Millisecond), true},
		{id, at.Add(time.Hour), true},
		{other, at, true},
		{id, time.Time{}, false},
	} {
		p, err := encode(&broker.Message{ID: c.id, Task: "t", Queue: "q", Attempt: 1, Attempts: 6, EnqueuedAt: c.at})
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := p.Headers.Get(headerTimestamp); ok != c.header {
			t.Errorf("%s at %v: header %v, want %v", c.id, c.at, ok, c.header)
		}
		got, err := decode(&wire.Delivery{Properties: p.Properties}, classDefault, "q")
		if err != nil || !got.EnqueuedAt.Equal(c.at) {
			t.Errorf("%s at %v: decoded as %v, %v", c.id, c.at, got.EnqueuedAt, err)
		}
	}
}

// A timestamp of another producer, which may be in milliseconds where AMQP has
// seconds, or none at all, is no obstacle to a retry.
func TestForeignTimestamp(t *testing.T) {
	now := time.UnixMilli(1_700_000_000_123)
	for timestamp, want := range map[int64]time.Time{
		0:                    {},
		now.Unix():           time.Unix(now.Unix(), 0),
		now.UnixMilli():      now,
		now.UnixMicro():      {},
		-5:                   time.Unix(-5, 0),
		math.MaxInt64:        {},
		math.MinInt64:        {},
		lastMilli / 1000:     time.Unix(lastMilli/1000, 0),
		lastMilli/1000 + 1:   time.UnixMilli(lastMilli/1000 + 1),
		lastMilli:            time.UnixMilli(lastMilli),
		-lastMilli/1000 - 10: time.UnixMilli(-lastMilli/1000 - 10),
	} {
		m, err := decode(&wire.Delivery{Properties: wire.Properties{MessageID: "i", Type: "t", Timestamp: timestamp}}, classDefault, "q")
		if err != nil || !m.EnqueuedAt.Equal(want) {
			t.Errorf("timestamp %d: %v, %v, want %v", timestamp, m.EnqueuedAt, err, want)
		}
		m.Attempt++
		p, err := encode(&m)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := decode(&wire.Delivery{Properties: p.Properties}, classDefault, "q"); err != nil || !again.EnqueuedAt.Equal(want) {
			t.Errorf("timestamp %d: retried as %v, %v, want %v", timestamp, again.EnqueuedAt, err, want)
		}
	}
}

// What Validate lets through is not malformed when it arrives.
func TestExtremes(t *testing.T) {
	last := time.UnixMilli(lastMilli)
	m := &broker.Message{ID: "i", Task: "t", Queue: "q", Attempt: 1, Attempts: math.MaxInt32, EnqueuedAt: last, NotBefore: last, Expires: last}
	if err := m.Validate(); err != nil {
		t.Fatal(err)
	}
	p, err := encode(m)
	if err != nil {
		t.Fatal(err)
	}
	got, err := decode(&wire.Delivery{Properties: p.Properties}, classDefault, "q")
	if err != nil || got.Attempts != m.Attempts || !got.EnqueuedAt.Equal(last) || !got.NotBefore.Equal(last) || !got.Expires.Equal(last) {
		t.Errorf("decoded %+v, %v, want %+v", got, err, m)
	}
	m.Attempts++
	if err := m.Validate(); err == nil {
		t.Errorf("%d attempts are valid", m.Attempts)
	}
	m.Attempts--
	for _, late := range []*time.Time{&m.EnqueuedAt, &m.NotBefore, &m.Expires} {
		*late = last.Add(time.Millisecond)
		if err := m.Validate(); err == nil {
			t.Errorf("%v is valid", *late)
		}
		*late = last
	}
}

// Whatever a message holds, decoding it returns or fails; what was decoded is
// valid, and can be stored and decoded again, with nothing but RabbitMQ's headers
// lost.
func FuzzDecode(f *testing.F) {
	for _, add := range []func(*wire.Builder){
		func(h *wire.Builder) { h.Text(headerAttempts, "many") },
		func(h *wire.Builder) { h.Text(headerFailures, "[{}]") },
		func(h *wire.Builder) { h.Int(headerDeliveryCount, 1<<62) },
		func(h *wire.Builder) { h.Int(headerExpires, 1<<62) },
		func(h *wire.Builder) { h.Int(headerAttempt, 3); h.Text("tenant", "blue"); h.Texts("list", "a", "b") },
	} {
		var h wire.Builder
		add(&h)
		f.Add(string(h.Table()), "t", "id", int64(0), byte(9), []byte("{}"))
	}
	f.Add("", "t", "", int64(1_700_000_000_123), byte(0), []byte("{}"))
	f.Fuzz(func(t *testing.T, headers, task, id string, timestamp int64, priority byte, body []byte) {
		p := wire.Properties{Headers: wire.Table(headers), Type: task, MessageID: id, Timestamp: timestamp, Priority: priority}
		d := &wire.Delivery{Properties: p, Body: body}
		deliveryCount(d)
		decodeRecord(d)
		m, err := decode(d, classDead, "q")
		again, againErr := decode(&wire.Delivery{Properties: forward(d, "").Properties, Body: body}, classDead, "q")
		if (err == nil) != (againErr == nil) {
			t.Errorf("decoded with %v, and with %v when forwarded", err, againErr)
		}
		if err != nil {
			return
		}
		if again.Attempt != m.Attempt || len(again.Headers) != len(m.Headers) {
			t.Errorf("forwarded as %+v, want %+v", again, m)
		}
		if len(m.ID) <= broker.MaxIDSize && len(m.Task) <= broker.MaxTaskName {
			if err := m.Validate(); err != nil {
				t.Errorf("decoded %+v, which is invalid: %v", m, err)
			}
		}
		if len(m.Headers) == 0 {
			p, err := encode(&m)
			if err != nil {
				t.Fatalf("decoded %+v, which cannot be encoded: %v", m, err)
			}
			if _, err := decode(&wire.Delivery{Properties: p.Properties, Body: body}, classDead, "q"); err != nil {
				t.Errorf("decoded %+v, which cannot be decoded again: %v", m, err)
			}
		}
	})
}
