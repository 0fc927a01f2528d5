// Package census records which kinds of messages the processes of a namespace send,
// and finds it out: RabbitMQ shows no message that waits without taking it from the
// workers.
//
// Every process that publishes has a [Book]. Before it sends a message of a kind that
// the book does not cover, it publishes a [Record] to a stream. A record covers the
// messages of its kind that are sent within a day and due by a time that it names. So a
// process publishes about one a day for each kind, however many messages it sends.
//
// The caller publishes the records, and opens the connections.
package census

import (
	"fmt"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/codec"
	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/wire"
)

const (
	// Valid is for how long a record covers what is sent.
	Valid = 24 * time.Hour

	// MaxAge is the age at which RabbitMQ removes records.
	MaxAge = 365 * 24 * time.Hour

	// maxSize is how many bytes are stored before RabbitMQ removes younger records as
	// well: some 300,000 of them. It removes whole segments.
	maxSize     = 64 << 20
	segmentSize = 8 << 20
)

// Arguments returns the arguments with which the stream is declared.
func Arguments() amqp.Table {
	return amqp.Table{
		amqp.QueueTypeArg:                 amqp.QueueTypeStream,
		amqp.StreamMaxAgeArg:              fmt.Sprintf("%dD", MaxAge/(24*time.Hour)),
		amqp.StreamMaxLenBytesArg:         int64(maxSize),
		amqp.StreamMaxSegmentSizeBytesArg: int64(segmentSize),
	}
}

const (
	headerQueue  = "dtask-queue"
	headerLatest = "dtask-latest"    // Unix milliseconds
	headerOffset = "x-stream-offset" // RabbitMQ's, of streams
)

// A Kind is messages with a task and a schema on a queue. The zero value stands for
// those that a process may not name, as they are too many.
type Kind struct{ Queue, Task, Schema string }

// A Record says that messages of a kind are sent.
type Record struct {
	Kind
	Latest time.Time // by when they are due; zero if none is delayed
}

// Envelope returns the record as it is published under an id.
func (r Record) Envelope(id string) codec.Envelope {
	var h wire.Builder
	h.Text(headerQueue, r.Queue)
	h.Text(codec.HeaderSchema, r.Schema)
	codec.SetTime(&h, headerLatest, r.Latest)
	return codec.Envelope{Properties: wire.Properties{
		Headers:      h.Table(),
		DeliveryMode: wire.Persistent,
		MessageID:    id,
		Type:         r.Task,
		Timestamp:    time.Now().Unix(),
	}}
}

// Fence returns what a reader publishes to find the end of the stream.
func Fence(id string) codec.Envelope {
	return codec.Envelope{Properties: wire.Properties{DeliveryMode: wire.Persistent, MessageID: id, Timestamp: time.Now().Unix()}}
}

// decode returns the record that a delivery is. It is none without the header of the
// queue, as a fence, or if it is malformed.
func decode(d *wire.Delivery) (r Record, offset int64, ok bool) {
	var h codec.HeaderReader
	r.Task = d.Type
	for name, v := range d.Headers.All() {
		switch name {
		case headerQueue:
			ok = true
			h.Text(name, v, &r.Queue)
		case codec.HeaderSchema:
			h.Text(name, v, &r.Schema)
		case headerLatest:
			h.Time(name, v, &r.Latest)
		case headerOffset:
			offset, _ = h.Int(name, v)
		}
	}
	return r, offset, ok && h.Err == nil
}
