package rabbitmq

import (
	"cmp"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/wire"
)

// The headers of a message. docs/wire.md describes them.
const (
	headerSchema          = "dtask-schema"
	headerPriority        = "dtask-priority" // 1 or -1
	headerAttempt         = "dtask-attempt"
	headerAttempts        = "dtask-attempts"
	headerNotBefore       = "dtask-not-before"        // Unix milliseconds
	headerExpires         = "dtask-expires"           // Unix milliseconds
	headerKeep            = "dtask-keep"              // milliseconds
	headerFailures        = "dtask-failures"          // JSON
	headerHandedBack      = "dtask-handed-back"       // how often
	headerHandedBackSince = "dtask-handed-back-since" // Unix milliseconds
	headerEscape          = "dtask-header-"           // prefix of a user's header whose name is reserved
	headerTimestamp       = "timestamp_in_ms"         // as RabbitMQ's own timestamp plugin has it

	// RabbitMQ's, of quorum queues. From 4.3 on only the second one counts what
	// the consumer_timeout has taken from a worker.
	headerDeliveryCount = "x-delivery-count"
	headerAcquiredCount = "x-acquired-count"
)

// defaultAttempts is how many attempts a message is allowed that does not say.
const defaultAttempts = 6

// lastMilli is the last Unix millisecond of the year 9999.
const lastMilli = 253402300799999

const (
	// maxUserHeaders bounds the headers of the user, and maxFailures the
	// history in its JSON form: together with the rest they fit into a frame,
	// unless RabbitMQ is set to smaller ones.
	maxUserHeaders = 32 << 10
	maxFailures    = 64 << 10
)

// An envelope is a message as it is published.
type envelope struct {
	wire.Properties
	body []byte
}

// encode returns the AMQP form of a message. It refers to the body of m.
func encode(m *broker.Message) (envelope, error) {
	h, err := encodeHeaders(m)
	if err != nil {
		return envelope{}, err
	}
	return seal(m, h), nil
}

// seal returns the AMQP form of a message with the given headers.
func seal(m *broker.Message, h *wire.Builder) envelope {
	return envelope{
		Properties: wire.Properties{
			Headers:      h.Table(),
			ContentType:  "application/json",
			DeliveryMode: wire.Persistent,
			MessageID:    m.ID,
			Timestamp:    unixSeconds(m.EnqueuedAt),
			Type:         m.Task,
		},
		body: m.Body,
	}
}

// encodeHeaders returns the headers of a message.
func encodeHeaders(m *broker.Message) (*wire.Builder, error) {
	h := &wire.Builder{}
	size := 0
	for name, value := range m.Headers {
		if reserved(name) {
			name = headerEscape + name
		}
		if len(name) > 255 {
			return nil, fmt.Errorf("%w: the name of header %.40q… has %d bytes, at most 255", broker.ErrTooLarge, name, len(name))
		}
		h.Text(name, value)
		size += len(name) + len(value)
	}
	if size > maxUserHeaders {
		return nil, fmt.Errorf("%w: %d bytes of headers, at most %d", broker.ErrTooLarge, size, maxUserHeaders)
	}
	if m.Schema != "" {
		h.Text(headerSchema, m.Schema)
	}
	if m.Priority != broker.PriorityDefault {
		h.Int(headerPriority, int64(m.Priority))
	}
	if m.Attempt != 1 {
		h.Int(headerAttempt, int64(m.Attempt))
	}
	if m.Attempts != defaultAttempts {
		h.Int(headerAttempts, int64(m.Attempts))
	}
	if m.HandedBack > 0 {
		h.Int(headerHandedBack, int64(m.HandedBack))
	}
	if m.Keep > 0 {
		h.Int(headerKeep, max(1, m.Keep.Milliseconds()))
	}
	if ms, ok := uuidMilli(m.ID); !ok || ms != m.EnqueuedAt.UnixMilli() {
		setTime(h, headerTimestamp, m.EnqueuedAt) // else the id says it
	}
	setTime(h, headerNotBefore, m.NotBefore)
	setTime(h, headerExpires, m.Expires)
	setTime(h, headerHandedBackSince, m.HandedBackSince)
	if len(m.Failures) > 0 {
		h.Text(headerFailures, encodeFailures(m.Failures, maxFailures))
	}
	return h, nil
}

// reserved reports whether a header name has a meaning to dtask or RabbitMQ.
func reserved(name string) bool {
	return strings.HasPrefix(name, "dtask-") || name == headerTimestamp || reservedByRabbitMQ(name)
}

// reservedByRabbitMQ reports whether a header name has a meaning to RabbitMQ. By
// CC and BCC it copies a message to more queues
// (https://www.rabbitmq.com/docs/sender-selected); if such a header is not an array
// it closes the channel, and with it fails what others publish.
func reservedByRabbitMQ(name string) bool {
	return strings.HasPrefix(name, "x-") || name == "CC" || name == "BCC"
}

func setTime(h *wire.Builder, name string, t time.Time) {
	if !t.IsZero() {
		h.Int(name, t.UnixMilli())
	}
}

// unixSeconds is t.Unix, and 0 for the zero time.
func unixSeconds(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}

// decodePriority returns the class of a message by its AMQP priority, which
// other producers may set. dtask does not: quorum queues of RabbitMQ 4 heed it,
// and in a level of delay one class would be in the way of the others.
func decodePriority(p uint8) broker.Priority {
	switch {
	case p > 4:
		return broker.PriorityHigh
	case p > 0 && p < 4:
		return broker.PriorityLow
	}
	return broker.PriorityDefault
}

// shorten makes the headers of a message n bytes shorter, at the cost of its
// history of failures. It returns false if there is not that much of it.
func (e *envelope) shorten(n int) bool {
	v, _ := e.Headers.Get(headerFailures)
	text, _ := v.Text()
	var fs []broker.Failure
	if len(text)-n < len(noFailures) || json.Unmarshal([]byte(text), &fs) != nil {
		return false
	}
	var h wire.Builder
	for name, v := range e.Headers.All() {
		if name == headerFailures {
			h.Text(name, encodeFailures(fs, len(text)-n))
		} else {
			h.Value(name, v)
		}
	}
	e.Headers = h.Table()
	return true
}

// noFailures is an empty history.
const noFailures = "[]"

// encodeFailures returns the newest failures that fit into limit bytes, as JSON;
// without their stacks if the newest does not fit with its own.
func encodeFailures(fs []broker.Failure, limit int) string {
	if text := newestFailures(fs, limit); text != "" {
		return text
	}
	fs = slices.Clone(fs)
	for i := range fs {
		fs[i].Stack = ""
	}
	return cmp.Or(newestFailures(fs, limit), noFailures)
}

// newestFailures returns the newest failures that fit, or an empty string if none
// does: it is of a year beyond 9999, or its text beyond all bounds.
func newestFailures(fs []broker.Failure, limit int) string {
	for ; len(fs) > 0; fs = fs[1:] {
		if b, err := json.Marshal(fs); err == nil && len(b) <= limit {
			return string(b)
		}
	}
	return ""
}

// decode returns the message of a delivery, from the given queue. It takes
// what producers in other languages leave out for the default. An error says
// why nobody can run it; the message then has what could be read.
func decode(d *wire.Delivery, c class, queue string) (broker.Message, error) {
	m := broker.Message{
		ID:       d.MessageID,
		Task:     d.Type,
		Queue:    queue,
		Body:     d.Body,
		Priority: decodePriority(d.Priority),
		Attempt:  1,
		Attempts: defaultAttempts,
	}
	m.EnqueuedAt = decodeTimestamp(d.Timestamp, m.ID)
	var r headerReader
	for name, v := range d.Headers.All() {
		if v.IsNull() {
			continue // as good as absent
		}
		switch name {
		case headerSchema:
			r.text(name, v, &m.Schema)
		case headerPriority:
			n, _ := r.integer(name, v)
			m.Priority = broker.Priority(max(int64(broker.PriorityLow), min(n, int64(broker.PriorityHigh))))
		case headerAttempt:
			r.count(name, v, &m.Attempt, 1)
		case headerAttempts:
			r.count(name, v, &m.Attempts, 1)
		case headerHandedBack:
			r.count(name, v, &m.HandedBack, 0)
		case headerKeep:
			var ms int
			r.count(name, v, &ms, 0)
			m.Keep = time.Duration(ms) * time.Millisecond
		case headerTimestamp:
			r.time(name, v, &m.EnqueuedAt)
		case headerNotBefore:
			r.time(name, v, &m.NotBefore)
		case headerExpires:
			r.time(name, v, &m.Expires)
		case headerHandedBackSince:
			r.time(name, v, &m.HandedBackSince)
		case headerFailures:
			r.failures(name, v, &m.Failures)
		default:
			addUserHeader(&m, name, v)
		}
	}
	switch c { // a producer may have chosen it by the queue alone
	case classHigh:
		m.Priority = broker.PriorityHigh
	case classDefault:
		m.Priority = broker.PriorityDefault
	case classLow:
		m.Priority = broker.PriorityLow
	}
	switch {
	case r.err != nil:
	case m.Task == "":
		r.err = errors.New("the property type, the name of the task, is missing")
	case len(m.Body) > broker.MaxBodySize:
		r.err = fmt.Errorf("the body has %d bytes, at most %d", len(m.Body), broker.MaxBodySize)
	case m.ID == "":
		m.ID = "unnamed-" + rand.Text()
	}
	return m, r.err
}

// decodeTimestamp returns the time that the property timestamp of a message says,
// to the millisecond if its id does. It is to be in seconds, but other producers
// take it for milliseconds; what is no time at all is as good as absent.
func decodeTimestamp(n int64, id string) time.Time {
	switch ms, ok := uuidMilli(id); {
	case n == 0 || n < -lastMilli || n > lastMilli:
		return time.Time{}
	case n < -lastMilli/1000 || n > lastMilli/1000:
		return time.UnixMilli(n)
	case ok && ms/1000 == n:
		return time.UnixMilli(ms)
	}
	return time.Unix(n, 0)
}

// A headerReader reads headers, and keeps the first error.
type headerReader struct{ err error }

func (r *headerReader) text(name string, v wire.Value, text *string) {
	s, ok := v.Text()
	if !ok {
		r.fail("header %s is a %s, want a string", name, v.Kind())
		return
	}
	*text = s
}

// count reads an integer of at least low.
func (r *headerReader) count(name string, v wire.Value, count *int, low int) {
	n, ok := r.integer(name, v)
	if !ok {
		return
	}
	if n < int64(low) || n > math.MaxInt32 {
		r.fail("header %s is %d, want %d to %d", name, n, low, math.MaxInt32)
		return
	}
	*count = int(n)
}

// time reads a time in Unix milliseconds.
func (r *headerReader) time(name string, v wire.Value, t *time.Time) {
	n, ok := r.integer(name, v)
	if !ok {
		return
	}
	if n < -lastMilli || n > lastMilli {
		r.fail("header %s is %d, want Unix milliseconds", name, n)
		return
	}
	*t = time.UnixMilli(n)
}

func (r *headerReader) integer(name string, v wire.Value) (int64, bool) {
	n, ok := v.Int()
	if !ok {
		r.fail("header %s is a %s, want an integer", name, v.Kind())
	}
	return n, ok
}

func (r *headerReader) failures(name string, v wire.Value, fs *[]broker.Failure) {
	var text string
	if r.text(name, v, &text); text == "" {
		return
	}
	if err := json.Unmarshal([]byte(text), fs); err != nil {
		*fs = nil
		r.fail("header %s: %v", name, err)
	}
}

func (r *headerReader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf(format, args...)
	}
}

// addUserHeader adds a header that is neither dtask's nor RabbitMQ's, as a
// string. Tables, arrays, and whatever else has no plain text are left out.
func addUserHeader(m *broker.Message, name string, v wire.Value) {
	if rest, ok := strings.CutPrefix(name, headerEscape); ok {
		name = rest
	} else if reserved(name) {
		return
	}
	text, ok := v.Plain()
	if !ok {
		return
	}
	if m.Headers == nil {
		m.Headers = make(map[string]string)
	}
	m.Headers[name] = text
}

// deliveryCount returns how often the message was delivered before and not
// settled. A copy that was renewed has the attempt of its first loss in it
// already, and RabbitMQ from 4.0 on says of it that it was delivered.
func deliveryCount(d *wire.Delivery) int {
	var most int64
	for name, v := range d.Headers.All() {
		if name == headerDeliveryCount || name == headerAcquiredCount {
			n, _ := v.Int()
			most = max(most, n)
		}
	}
	if _, copied := d.Headers.Get(headerRenewed); copied && most > 0 {
		most--
	}
	return int(min(most, math.MaxInt32))
}

// forward returns the AMQP form of a delivery to be published again: as it is,
// but for the changes of its headers. What is RabbitMQ's is left behind: with its
// x-death header a message is taken for one that goes in circles and stays in a
// level of delay for ever; by CC a producer has had its copies already.
func forward(d *wire.Delivery, changes wire.Table) envelope {
	var h wire.Builder
	for name, v := range d.Headers.All() {
		if _, changed := changes.Get(name); !changed && !reservedByRabbitMQ(name) {
			h.Value(name, v)
		}
	}
	for name, v := range changes.All() {
		h.Value(name, v)
	}
	if p := decodePriority(d.Priority); p != broker.PriorityDefault {
		if _, ok := d.Headers.Get(headerPriority); !ok {
			h.Int(headerPriority, int64(p))
		}
	}
	e := envelope{Properties: d.Properties, body: d.Body}
	e.Priority = 0
	e.Headers = h.Table()
	e.DeliveryMode = wire.Persistent
	return e
}

// uuidMilli returns the time, in Unix milliseconds, that a UUIDv7 holds (RFC
// 9562, section 5.7).
func uuidMilli(id string) (ms int64, ok bool) {
	if len(id) != 36 || id[8] != '-' || id[13] != '-' || id[14] != '7' {
		return 0, false
	}
	for i := range 13 {
		c := id[i]
		switch {
		case '0' <= c && c <= '9':
			ms = ms<<4 | int64(c-'0')
		case 'a' <= c && c <= 'f', 'A' <= c && c <= 'F':
			ms = ms<<4 | int64(c|0x20-'a'+10)
		case i == 8:
		default:
			return 0, false
		}
	}
	return ms, true
}
