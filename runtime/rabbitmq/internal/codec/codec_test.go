package codec

import (
	"errors"
	"maps"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/dtaskhq/dtask/internal/limit"
	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/wire"
)

// However long its history, a message fits into a frame.
func TestLongHistory(t *testing.T) {
	m := &broker.Message{ID: "i", Task: "t", Queue: "q", Attempt: 1, Attempts: 1}
	for range broker.MaxFailures {
		m.Failures = append(m.Failures, broker.Failure{Error: strings.Repeat("\x00", broker.MaxErrorSize), Stack: strings.Repeat("\x01", broker.MaxStackSize)})
	}
	p, err := Encode(m)
	if err != nil {
		t.Fatal(err)
	}
	v, _ := p.Headers.Get(HeaderFailures)
	if history, ok := v.Text(); !ok || len(history) > maxFailures {
		t.Errorf("the history has %d bytes, want up to %d", len(history), maxFailures)
	}
	m.Headers = map[string]string{"h": strings.Repeat("x", maxUserHeaders)}
	if _, err := Encode(m); !errors.Is(err, broker.ErrTooLarge) {
		t.Errorf("headers of %d bytes: %v, want ErrTooLarge", maxUserHeaders, err)
	}
	m.Headers = map[string]string{strings.Repeat("x", 300): ""}
	if _, err := Encode(m); !errors.Is(err, broker.ErrTooLarge) {
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
	whole, err := Encode(m)
	if err != nil {
		t.Fatal(err)
	}
	v, _ := whole.Headers.Get(HeaderFailures)
	text, _ := v.Text()
	if p := whole; p.Shorten(len(text)-1) || p.Headers != whole.Headers {
		t.Error("a history of one byte")
	}
	for room, want := range map[int]string{
		len(text) - 1: "boom with a stack",
		200:           "refused, boom",
		100:           "boom",
		2:             "",
	} {
		p := whole
		if by := len(text) - room; !p.Shorten(by) || p.Size() > whole.Size()-by {
			t.Errorf("%d bytes are to be shorter by %d, and become %d", whole.Size(), by, p.Size())
		}
		got, err := Decode(&wire.Delivery{Properties: p.Properties}, "q")
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
	p, err := Encode(m)
	if err != nil {
		t.Fatal(err)
	}
	for name := range p.Headers.All() {
		if name != "plain" && !strings.HasPrefix(name, headerEscape) && name != headerAttempts {
			t.Errorf("header %s goes to RabbitMQ under its own name", name)
		}
	}
	got, err := Decode(&wire.Delivery{Properties: p.Properties}, "q")
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
	h.Int(HeaderAttempt, 1)
	changes.Int(HeaderAttempt, 2)
	again := Forward(&wire.Delivery{Properties: wire.Properties{Headers: h.Table()}}, changes.Table())

	var want wire.Builder
	want.Text("tenant", "blue")
	want.Int(HeaderAttempt, 2)
	if again.Headers != want.Table() {
		t.Errorf("headers %q, want %q", again.Headers, want.Table())
	}
}

// The priority of a message is known wherever it goes, but RabbitMQ must not heed
// it.
func TestPriority(t *testing.T) {
	m := &broker.Message{ID: "i", Task: "t", Queue: "q", Attempt: 1, Attempts: 6}
	for _, m.Priority = range []broker.Priority{broker.PriorityLow, broker.PriorityDefault, broker.PriorityHigh} {
		p, err := Encode(m)
		if err != nil {
			t.Fatal(err)
		}
		theirs := p
		theirs.Headers, theirs.Priority = "", map[broker.Priority]byte{broker.PriorityLow: 1, broker.PriorityHigh: 9}[m.Priority]
		for _, e := range []Envelope{p, theirs} {
			dead := Forward(&wire.Delivery{Properties: e.Properties}, "")
			got, err := Decode(&wire.Delivery{Properties: dead.Properties}, "q")
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
		p, err := Encode(&broker.Message{ID: c.id, Task: "t", Queue: "q", Attempt: 1, Attempts: 6, EnqueuedAt: c.at})
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := p.Headers.Get(headerTimestamp); ok != c.header {
			t.Errorf("%s at %v: header %v, want %v", c.id, c.at, ok, c.header)
		}
		got, err := Decode(&wire.Delivery{Properties: p.Properties}, "q")
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
		m, err := Decode(&wire.Delivery{Properties: wire.Properties{MessageID: "i", Type: "t", Timestamp: timestamp}}, "q")
		if err != nil || !m.EnqueuedAt.Equal(want) {
			t.Errorf("timestamp %d: %v, %v, want %v", timestamp, m.EnqueuedAt, err, want)
		}
		m.Attempt++
		p, err := Encode(&m)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := Decode(&wire.Delivery{Properties: p.Properties}, "q"); err != nil || !again.EnqueuedAt.Equal(want) {
			t.Errorf("timestamp %d: retried as %v, %v, want %v", timestamp, again.EnqueuedAt, err, want)
		}
	}
}

// What Validate lets through is not malformed when it arrives.
func TestExtremes(t *testing.T) {
	last := time.UnixMilli(lastMilli)
	m := &broker.Message{ID: "i", Task: "t", Queue: "q", Attempt: 1, Attempts: limit.MaxRetries + 1, EnqueuedAt: last, NotBefore: last, Expires: last}
	if err := m.Validate(); err != nil {
		t.Fatal(err)
	}
	p, err := Encode(m)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Decode(&wire.Delivery{Properties: p.Properties}, "q")
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
		func(h *wire.Builder) { h.Text(HeaderFailures, "[{}]") },
		func(h *wire.Builder) { h.Int(headerDeliveryCount, 1<<62) },
		func(h *wire.Builder) { h.Int(HeaderExpires, 1<<62) },
		func(h *wire.Builder) { h.Int(HeaderAttempt, 3); h.Text("tenant", "blue"); h.Texts("list", "a", "b") },
	} {
		var h wire.Builder
		add(&h)
		f.Add(string(h.Table()), "t", "id", int64(0), byte(9), []byte("{}"))
	}
	f.Add("", "t", "", int64(1_700_000_000_123), byte(0), []byte("{}"))
	f.Fuzz(func(t *testing.T, headers, task, id string, timestamp int64, priority byte, body []byte) {
		p := wire.Properties{Headers: wire.Table(headers), Type: task, MessageID: id, Timestamp: timestamp, Priority: priority}
		d := &wire.Delivery{Properties: p, Body: body}
		DeliveryCount(d)
		m, err := Decode(d, "q")
		again, againErr := Decode(&wire.Delivery{Properties: Forward(d, "").Properties, Body: body}, "q")
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
			p, err := Encode(&m)
			if err != nil {
				t.Fatalf("decoded %+v, which cannot be encoded: %v", m, err)
			}
			if _, err := Decode(&wire.Delivery{Properties: p.Properties, Body: body}, "q"); err != nil {
				t.Errorf("decoded %+v, which cannot be decoded again: %v", m, err)
			}
		}
	})
}
