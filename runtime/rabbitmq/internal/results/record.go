// Package results records what becomes of messages, and finds it out.
//
// What becomes of the messages whose Keep is set is recorded in a stream
// (https://www.rabbitmq.com/docs/streams), a log that anybody can read from
// any place without taking something away. Of an id it holds that the message
// was accepted, before the message itself is published, and then its outcome.
// The newest record is the one that counts: a dead letter that is retried is
// accepted again. So a reader that has come to the end of the stream knows
// whether a message is done, on its way, or was never there.
//
// The caller publishes the records, and opens the connections.
package results

import (
	"fmt"
	"slices"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/codec"
	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/wire"
)

const (
	// MaxKeep is the age at which RabbitMQ removes records.
	MaxKeep = 7 * 24 * time.Hour

	// maxSize is how many bytes are stored before RabbitMQ removes younger
	// records as well. It removes whole segments.
	maxSize     = 4 << 30
	segmentSize = 64 << 20
)

// Arguments returns the arguments with which the stream is declared.
func Arguments() amqp.Table {
	return amqp.Table{
		amqp.QueueTypeArg:                 amqp.QueueTypeStream,
		amqp.StreamMaxAgeArg:              fmt.Sprintf("%dD", MaxKeep/(24*time.Hour)),
		amqp.StreamMaxLenBytesArg:         int64(maxSize),
		amqp.StreamMaxSegmentSizeBytesArg: int64(segmentSize),
	}
}

const headerKind = "dtask-record"

// A kind says what a record is about.
type kind string

const (
	accepted  kind = "accepted"
	done      kind = "done"      // the body is the value
	dead      kind = "dead"      // the body is an array with the last failure
	cancelled kind = "cancelled" // there is no body
	fence     kind = "fence"     // see catchUp
)

// Accepted returns the record that a message is on its way. nonce tells apart the
// times it is accepted: the same one is the same time, recorded twice.
func Accepted(m *broker.Message, nonce string) codec.Envelope {
	e := encode(accepted, m.ID, m.Task, time.Time{}, nil)
	e.CorrelationID = nonce
	return e
}

// Done returns the record that a message was executed, with the value it
// returned.
func Done(m *broker.Message, value []byte) codec.Envelope {
	return encode(done, m.ID, m.Task, time.Now().Add(m.Keep), value)
}

// Dead returns the record that a message is among the dead letters, by the last
// of its failures.
func Dead(m *broker.Message, failures []broker.Failure) codec.Envelope {
	newest := slices.Clone(failures[max(0, len(failures)-1):])
	for i := range newest {
		newest[i].Log = "" // who waits for the result is told the error
	}
	last := codec.EncodeFailures(newest)
	return encode(dead, m.ID, m.Task, time.Now().Add(m.Keep), []byte(last))
}

// Cancelled returns the record that a message was cancelled.
func Cancelled(m *broker.Message) codec.Envelope {
	return encode(cancelled, m.ID, m.Task, time.Now().Add(m.Keep), nil)
}

// encode returns a record as it is published.
func encode(k kind, id, task string, expires time.Time, body []byte) codec.Envelope {
	var h wire.Builder
	h.Text(headerKind, string(k))
	codec.SetTime(&h, codec.HeaderExpires, expires)
	return codec.Envelope{
		Properties: wire.Properties{
			Headers:      h.Table(),
			ContentType:  "application/json",
			DeliveryMode: wire.Persistent,
			MessageID:    id,
			Type:         task,
			Timestamp:    time.Now().Unix(),
		},
		Body: body,
	}
}
