package codec

import (
	"fmt"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/wire"
)

const (
	// maxUserHeaders bounds the headers of the user, and maxFailures the
	// history in its JSON form: together with the rest they fit into a frame,
	// unless RabbitMQ is set to smaller ones.
	maxUserHeaders = 32 << 10
	maxFailures    = 64 << 10
)

// An Envelope is a message as it is published.
type Envelope struct {
	wire.Properties
	Body []byte
}

// Encode returns the AMQP form of a message. It refers to the body of m.
func Encode(m *broker.Message) (Envelope, error) {
	h, err := encodeHeaders(m)
	if err != nil {
		return Envelope{}, err
	}
	return Envelope{
		Properties: wire.Properties{
			Headers:      h,
			ContentType:  "application/json",
			DeliveryMode: wire.Persistent,
			MessageID:    m.ID,
			Timestamp:    unixSeconds(m.EnqueuedAt),
			Type:         m.Task,
		},
		Body: m.Body,
	}, nil
}

// encodeHeaders returns the headers of a message.
func encodeHeaders(m *broker.Message) (wire.Table, error) {
	var h wire.Builder
	size := 0
	for name, value := range m.Headers {
		if reserved(name) {
			name = headerEscape + name
		}
		if len(name) > 255 {
			return "", fmt.Errorf("%w: the name of header %.40q… has %d bytes, at most 255", broker.ErrTooLarge, name, len(name))
		}
		h.Text(name, value)
		size += len(name) + len(value)
	}
	if size > maxUserHeaders {
		return "", fmt.Errorf("%w: %d bytes of headers, at most %d", broker.ErrTooLarge, size, maxUserHeaders)
	}
	if m.Schema != "" {
		h.Text(HeaderSchema, m.Schema)
	}
	if m.Priority != broker.PriorityDefault {
		h.Int(HeaderPriority, int64(m.Priority))
	}
	if m.Attempt != 1 {
		h.Int(HeaderAttempt, int64(m.Attempt))
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
	if ms, ok := UUIDMilli(m.ID); !ok || ms != m.EnqueuedAt.UnixMilli() {
		SetTime(&h, headerTimestamp, m.EnqueuedAt) // else the id says it
	}
	SetTime(&h, headerNotBefore, m.NotBefore)
	SetTime(&h, HeaderExpires, m.Expires)
	SetTime(&h, headerHandedBackSince, m.HandedBackSince)
	if len(m.Failures) > 0 {
		h.Text(HeaderFailures, EncodeFailures(m.Failures))
	}
	return h.Table(), nil
}

// SetTime adds a time to headers, in Unix milliseconds, unless it is zero.
func SetTime(h *wire.Builder, name string, t time.Time) {
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
