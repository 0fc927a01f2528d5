package rabbitmq

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	dtask "github.com/dtaskhq/dtask/runtime"
)

// The headers of a message. docs/wire.md describes them.
const (
	headerSchema        = "dtask-schema"
	headerAttempt       = "dtask-attempt"
	headerAttempts      = "dtask-attempts"
	headerNotBefore     = "dtask-not-before"     // Unix milliseconds
	headerExpires       = "dtask-expires"        // Unix milliseconds
	headerKeep          = "dtask-keep"           // milliseconds
	headerFailures      = "dtask-failures"       // JSON
	headerReturned      = "dtask-returned"       // how often
	headerReturnedSince = "dtask-returned-since" // Unix milliseconds
	headerEscape        = "dtask-header-"        // prefix of a user's header whose name is reserved
	headerTimestamp     = "timestamp_in_ms"      // as RabbitMQ's own timestamp plugin has it

	headerDeliveryCount = "x-delivery-count" // RabbitMQ's, of quorum queues
)

// defaultAttempts is how many attempts a message is allowed that does not say.
const defaultAttempts = 6

const (
	// maxUserHeaders bounds the headers of the user, and maxFailures the
	// history in its JSON form: together with the rest they fit into a frame.
	maxUserHeaders = 32 << 10
	maxFailures    = 64 << 10
)

// encode returns the AMQP form of a message.
func encode(m *dtask.Message) (amqp.Publishing, error) {
	h := make(amqp.Table, 3+len(m.Headers))
	size := 0
	for name, value := range m.Headers {
		if reserved(name) {
			name = headerEscape + name
		}
		if len(name) > 255 {
			return amqp.Publishing{}, fmt.Errorf("%w: the name of header %.40q… has %d bytes, at most 255", dtask.ErrTooLarge, name, len(name))
		}
		h[name] = value
		size += len(name) + len(value)
	}
	if size > maxUserHeaders {
		return amqp.Publishing{}, fmt.Errorf("%w: %d bytes of headers, at most %d", dtask.ErrTooLarge, size, maxUserHeaders)
	}
	if m.Schema != "" {
		h[headerSchema] = m.Schema
	}
	if m.Attempt != 1 {
		h[headerAttempt] = int64(m.Attempt)
	}
	if m.Attempts != defaultAttempts {
		h[headerAttempts] = int64(m.Attempts)
	}
	if m.Returned > 0 {
		h[headerReturned] = int64(m.Returned)
	}
	if m.Keep > 0 {
		h[headerKeep] = max(1, m.Keep.Milliseconds())
	}
	setTime(h, headerTimestamp, m.EnqueuedAt)
	setTime(h, headerNotBefore, m.NotBefore)
	setTime(h, headerExpires, m.Expires)
	setTime(h, headerReturnedSince, m.ReturnedSince)
	if len(m.Failures) > 0 {
		h[headerFailures] = encodeFailures(m.Failures)
	}
	return amqp.Publishing{
		Headers:      h,
		ContentType:  "application/json",
		DeliveryMode: amqp.Persistent,
		Priority:     encodePriority(m.Priority),
		MessageId:    m.ID,
		Timestamp:    m.EnqueuedAt,
		Type:         m.Task,
		Body:         m.Body,
	}, nil
}

// reserved reports whether a header name has a meaning to dtask or RabbitMQ.
func reserved(name string) bool {
	return strings.HasPrefix(name, "dtask-") || strings.HasPrefix(name, "x-") || name == headerTimestamp
}

func setTime(h amqp.Table, name string, t time.Time) {
	if !t.IsZero() {
		h[name] = t.UnixMilli()
	}
}

// encodePriority returns the AMQP priority of a class. RabbitMQ takes a
// message without one for the lowest, so the default class has none, and the
// low one has the least that is one.
func encodePriority(p dtask.PriorityLevel) uint8 {
	switch {
	case p > dtask.PriorityDefault:
		return 9
	case p < dtask.PriorityDefault:
		return 1
	}
	return 0
}

func decodePriority(p uint8) dtask.PriorityLevel {
	switch {
	case p > 4:
		return dtask.PriorityHigh
	case p > 0 && p < 4:
		return dtask.PriorityLow
	}
	return dtask.PriorityDefault
}

// encodeFailures returns the newest failures that fit, as JSON.
func encodeFailures(fs []dtask.Failure) string {
	for {
		b, err := json.Marshal(fs)
		if err == nil && len(b) <= maxFailures {
			return string(b)
		}
		switch {
		case len(fs) > 1:
			fs = fs[1:]
		case len(fs) == 1 && fs[0].Stack != "":
			fs = []dtask.Failure{{Attempt: fs[0].Attempt, At: fs[0].At, Error: fs[0].Error}}
		default:
			return "[]" // a year beyond 9999, or a text beyond all bounds
		}
	}
}

// decode returns the message of a delivery, from the given queue. It takes
// what producers in other languages leave out for the default. An error says
// why nobody can run it; the message then has what could be read.
func decode(d *amqp.Delivery, c class, queue string) (dtask.Message, error) {
	m := dtask.Message{
		ID:       d.MessageId,
		Task:     d.Type,
		Queue:    queue,
		Body:     d.Body,
		Priority: decodePriority(d.Priority),
		Attempt:  1,
		Attempts: defaultAttempts,
	}
	switch c { // a producer may have chosen it by the queue alone
	case classHigh:
		m.Priority = dtask.PriorityHigh
	case classDefault:
		m.Priority = dtask.PriorityDefault
	case classLow:
		m.Priority = dtask.PriorityLow
	}
	if !d.Timestamp.IsZero() {
		m.EnqueuedAt = d.Timestamp
	}
	r := headerReader{h: d.Headers}
	r.string(headerSchema, &m.Schema)
	r.count(headerAttempt, &m.Attempt, 1)
	r.count(headerAttempts, &m.Attempts, 1)
	r.count(headerReturned, &m.Returned, 0)
	r.milliseconds(headerKeep, &m.Keep)
	r.time(headerTimestamp, &m.EnqueuedAt)
	r.time(headerNotBefore, &m.NotBefore)
	r.time(headerExpires, &m.Expires)
	r.time(headerReturnedSince, &m.ReturnedSince)
	r.failures(&m.Failures)
	m.Headers = userHeaders(d.Headers)
	switch {
	case r.err != nil:
	case m.Task == "":
		r.err = errors.New("the property type, the name of the task, is missing")
	case len(m.Body) > dtask.MaxBodySize:
		r.err = fmt.Errorf("the body has %d bytes, at most %d", len(m.Body), dtask.MaxBodySize)
	case m.ID == "":
		m.ID = "unnamed-" + rand.Text()
	}
	return m, r.err
}

// A headerReader reads headers, and keeps the first error.
type headerReader struct {
	h   amqp.Table
	err error
}

func (r *headerReader) string(name string, v *string) {
	switch x := r.h[name].(type) {
	case nil:
	case string:
		*v = x
	default:
		r.fail("header %s is a %T, want a string", name, x)
	}
}

// count reads an integer of at least low.
func (r *headerReader) count(name string, v *int, low int) {
	n, ok := r.integer(name)
	if !ok {
		return
	}
	if n < int64(low) || n > math.MaxInt32 {
		r.fail("header %s is %d, want %d to %d", name, n, low, math.MaxInt32)
		return
	}
	*v = int(n)
}

// milliseconds reads a duration.
func (r *headerReader) milliseconds(name string, d *time.Duration) {
	n := 0
	r.count(name, &n, 0)
	*d = time.Duration(n) * time.Millisecond
}

// time reads a time in Unix milliseconds.
func (r *headerReader) time(name string, t *time.Time) {
	n, ok := r.integer(name)
	if !ok {
		return
	}
	const last = 253402300799999 // the end of the year 9999
	if n < -last || n > last {
		r.fail("header %s is %d, want Unix milliseconds", name, n)
		return
	}
	*t = time.UnixMilli(n)
}

func (r *headerReader) integer(name string) (int64, bool) {
	switch x := r.h[name].(type) {
	case nil:
		return 0, false
	case int64:
		return x, true
	case int32:
		return int64(x), true
	case int16:
		return int64(x), true
	case int8:
		return int64(x), true
	case uint8:
		return int64(x), true
	case uint16:
		return int64(x), true
	case uint32:
		return int64(x), true
	default:
		r.fail("header %s is a %T, want an integer", name, x)
		return 0, false
	}
}

func (r *headerReader) failures(fs *[]dtask.Failure) {
	var text string
	r.string(headerFailures, &text)
	if text == "" {
		return
	}
	if err := json.Unmarshal([]byte(text), fs); err != nil {
		*fs = nil
		r.fail("header %s: %v", headerFailures, err)
	}
}

func (r *headerReader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf(format, args...)
	}
}

// userHeaders returns the headers that are neither dtask's nor RabbitMQ's, as
// strings, or nil.
func userHeaders(h amqp.Table) map[string]string {
	var user map[string]string
	for name, value := range h {
		if rest, ok := strings.CutPrefix(name, headerEscape); ok {
			name = rest
		} else if reserved(name) {
			continue
		}
		var text string
		switch v := value.(type) {
		case string:
			text = v
		case bool, int8, uint8, int16, uint16, int32, uint32, int64, float32, float64:
			text = fmt.Sprint(v)
		default:
			continue // tables, arrays, and whatever else has no plain text
		}
		if user == nil {
			user = make(map[string]string)
		}
		user[name] = text
	}
	return user
}

// deliveryCount returns how often the message was delivered before and not
// settled.
func deliveryCount(d *amqp.Delivery) int {
	r := headerReader{h: d.Headers}
	n := 0
	r.count(headerDeliveryCount, &n, 0)
	return n
}

// forward returns the AMQP form of a delivery as it is, to be published
// again. What RabbitMQ has added is left behind: with its x-death header a
// message is taken for one that goes in circles and stays in a level of delay
// for ever.
func forward(d *amqp.Delivery) amqp.Publishing {
	h := make(amqp.Table, len(d.Headers)+1)
	for name, value := range d.Headers {
		if !strings.HasPrefix(name, "x-") {
			h[name] = value
		}
	}
	return amqp.Publishing{
		Headers:         h,
		ContentType:     d.ContentType,
		ContentEncoding: d.ContentEncoding,
		DeliveryMode:    amqp.Persistent,
		Priority:        d.Priority,
		CorrelationId:   d.CorrelationId,
		ReplyTo:         d.ReplyTo,
		MessageId:       d.MessageId,
		Timestamp:       d.Timestamp,
		Type:            d.Type,
		AppId:           d.AppId,
		Body:            d.Body,
	}
}
