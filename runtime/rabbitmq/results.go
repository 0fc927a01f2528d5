package rabbitmq

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/codec"
	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/wire"
)

// What becomes of the messages whose Keep is set is recorded in a stream
// (https://www.rabbitmq.com/docs/streams), a log that anybody can read from
// any place without taking something away. Of an id it holds that the message
// was accepted, before the message itself is published, and then its outcome.
// The newest record is the one that counts: a dead letter that is retried is
// accepted again. So a reader that has come to the end of the stream knows
// whether a message is done, on its way, or was never there.
//
// Records are published on a connection of their own, and read on another:
// trouble with the stream is to concern nobody who keeps nothing.

const (
	// maxKeep is the age at which RabbitMQ removes records.
	maxKeep = 7 * 24 * time.Hour

	// resultsSize is how much is stored, in bytes, before records are removed
	// that are younger. Both is done by whole segments.
	resultsSize    = 4 << 30
	resultsSegment = 64 << 20

	headerRecord       = "dtask-record"    // of a record: its kind
	headerStreamOffset = "x-stream-offset" // RabbitMQ's, of streams

	// classResults is the class of the stream. It belongs to no queue, but to
	// all.
	classResults class = "results"
)

// A recordKind says what a record is about.
type recordKind string

const (
	recordAccepted recordKind = "accepted"
	recordDone     recordKind = "done"  // the body is the value
	recordDead     recordKind = "dead"  // the body is an array with the last failure
	recordFence    recordKind = "fence" // see catchUp
)

// A record is an entry of the stream.
type record struct {
	offset  int64 // its place
	kind    recordKind
	id      string
	task    string
	nonce   string    // of an accepted one: the same if it is published twice
	expires time.Time // of an outcome
	body    []byte
}

// decodeRecord returns the record of a delivery. One that is malformed has no
// kind.
func decodeRecord(d *wire.Delivery) record {
	rec := record{id: d.MessageID, task: d.Type, nonce: d.CorrelationID, body: d.Body}
	var r codec.HeaderReader
	var kind string
	for name, v := range d.Headers.All() {
		switch name {
		case headerRecord:
			r.Text(name, v, &kind)
		case codec.HeaderExpires:
			r.Time(name, v, &rec.expires)
		case headerStreamOffset:
			rec.offset, _ = r.Int(name, v)
		}
	}
	if r.Err == nil {
		rec.kind = recordKind(kind)
	}
	return rec
}

// result returns the outcome that a record holds.
func (r *record) result() broker.Result {
	result := broker.Result{Task: r.task}
	if r.kind == recordDone {
		result.Value = r.body
		return result
	}
	var fs []broker.Failure
	if err := json.Unmarshal(r.body, &fs); err != nil || len(fs) == 0 {
		fs = []broker.Failure{{Kind: broker.FailureUndecodable, Error: "the record of the failure is malformed"}}
	}
	result.Failure = &fs[len(fs)-1]
	return result
}

// acceptance returns the record that m is on its way, or nil if its result is
// not kept. An empty nonce stands for a new one.
func (b *Broker) acceptance(m *broker.Message, nonce string) *publication {
	if m.Keep == 0 {
		return nil
	}
	p := b.record(recordAccepted, m.ID, m.Task, time.Time{}, nil)
	p.message.CorrelationID = cmp.Or(nonce, rand.Text())
	return p
}

// doneRecord returns the record that m was executed.
func (b *Broker) doneRecord(m *broker.Message, result []byte) *publication {
	return b.record(recordDone, m.ID, m.Task, time.Now().Add(m.Keep), result)
}

// deadRecord returns the record that m is among the dead letters, by the last
// of its failures.
func (b *Broker) deadRecord(m *broker.Message, failures []broker.Failure) *publication {
	last := codec.EncodeFailures(failures[max(0, len(failures)-1):])
	return b.record(recordDead, m.ID, m.Task, time.Now().Add(m.Keep), []byte(last))
}

// record returns a record on its way to the stream.
func (b *Broker) record(kind recordKind, id, task string, expires time.Time, body []byte) *publication {
	var h wire.Builder
	h.Text(headerRecord, string(kind))
	codec.SetTime(&h, codec.HeaderExpires, expires)
	stream := b.topology.results()
	return &publication{
		message: codec.Envelope{
			Properties: wire.Properties{
				Headers:      h.Table(),
				ContentType:  "application/json",
				DeliveryMode: wire.Persistent,
				MessageID:    id,
				Type:         task,
				Timestamp:    time.Now().Unix(),
			},
			Body: body,
		},
		queue: stream,
		class: classResults,
		name:  stream,
	}
}

// ensureResults declares the stream of results, unless that was done before.
func (t *topology) ensureResults(ctx context.Context, s *session) error {
	return t.ensureAlone(ctx, s, t.results(), amqp.Table{
		amqp.QueueTypeArg:                 amqp.QueueTypeStream,
		amqp.StreamMaxAgeArg:              fmt.Sprintf("%dD", maxKeep/(24*time.Hour)),
		amqp.StreamMaxLenBytesArg:         int64(resultsSize),
		amqp.StreamMaxSegmentSizeBytesArg: int64(resultsSegment),
	})
}
