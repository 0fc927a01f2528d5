package codec

import (
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/wire"
)

// Decode returns the message of a delivery from the given queue. What producers
// in other languages leave out has its default. An error says why nobody can run
// the message, which then holds what could be read.
func Decode(d *wire.Delivery, queue string) (broker.Message, error) {
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
	var r HeaderReader
	for name, v := range d.Headers.All() {
		if v.IsNull() {
			continue // as good as absent
		}
		switch name {
		case HeaderSchema:
			r.Text(name, v, &m.Schema)
		case HeaderPriority:
			n, _ := r.Int(name, v)
			m.Priority = broker.Priority(max(int64(broker.PriorityLow), min(n, int64(broker.PriorityHigh))))
		case HeaderAttempt:
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
			r.Time(name, v, &m.EnqueuedAt)
		case headerNotBefore:
			r.Time(name, v, &m.NotBefore)
		case HeaderExpires:
			r.Time(name, v, &m.Expires)
		case headerHandedBackSince:
			r.Time(name, v, &m.HandedBackSince)
		case HeaderFailures:
			r.failures(name, v, &m.Failures)
		default:
			addUserHeader(&m, name, v)
		}
	}
	switch {
	case d.Discarded > 0:
		r.Err = fmt.Errorf("the body has %d bytes, at most %d", d.Discarded, broker.MaxBodySize)
	case r.Err != nil:
	case m.Task == "":
		r.Err = errors.New("the property type, the name of the task, is missing")
	case m.ID == "":
		m.ID = "unnamed-" + rand.Text()
	}
	return m, r.Err
}

// decodeTimestamp returns the time that the property timestamp of a message says,
// to the millisecond if its id does. AMQP has it in seconds, but some producers
// send milliseconds; a value that is no time is as good as absent.
func decodeTimestamp(n int64, id string) time.Time {
	switch ms, ok := UUIDMilli(id); {
	case n == 0 || n < -lastMilli || n > lastMilli:
		return time.Time{}
	case n < -lastMilli/1000 || n > lastMilli/1000:
		return time.UnixMilli(n)
	case ok && ms/1000 == n:
		return time.UnixMilli(ms)
	}
	return time.Unix(n, 0)
}

// decodePriority returns the priority of a message by its AMQP property, which
// other producers may set. dtask does not: quorum queues of RabbitMQ 4 heed it, and
// at a level of delay one class would be in the way of the others.
func decodePriority(p uint8) broker.Priority {
	switch {
	case p > 4:
		return broker.PriorityHigh
	case p > 0 && p < 4:
		return broker.PriorityLow
	}
	return broker.PriorityDefault
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
