package results

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/codec"
	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/stream"
	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/wire"
)

// A record is an entry of the stream.
type record struct {
	offset    int64 // its place
	kind      kind
	id        string
	task      string
	nonce     string    // of an accepted one: the same if it is published twice
	expires   time.Time // of an outcome
	published int64     // in Unix seconds, by its publisher
	body      []byte
	discarded uint64 // the size of a body that is too large
}

// decode returns the record of a delivery. One that is malformed has no
// kind.
func decode(d *wire.Delivery) *record {
	rec := &record{id: d.MessageID, task: d.Type, nonce: d.CorrelationID, body: d.Body, published: d.Timestamp, discarded: d.Discarded}
	var r codec.HeaderReader
	var k string
	for name, v := range d.Headers.All() {
		switch name {
		case headerKind:
			r.Text(name, v, &k)
		case codec.HeaderExpires:
			r.Time(name, v, &rec.expires)
		case stream.HeaderOffset:
			rec.offset, _ = r.Int(name, v)
		}
	}
	if r.Err == nil {
		rec.kind = kind(k)
	}
	return rec
}

// size returns about how many bytes of memory the record takes.
func (r *record) size() int { return 150 + len(r.id) + len(r.task) + len(r.nonce) + len(r.body) }

// result returns the outcome that a record holds.
func (r *record) result() broker.Result {
	result := broker.Result{Task: r.task}
	if r.discarded > 0 {
		result.Failure = &broker.Failure{Kind: broker.FailureUndecodable, Error: fmt.Sprintf("the record of the outcome has %d bytes", r.discarded)}
		return result
	}
	switch r.kind {
	case done:
		result.Value = r.body
		return result
	case cancelled:
		result.Cancelled = true
		return result
	}
	var fs []broker.Failure
	if err := json.Unmarshal(r.body, &fs); err != nil || len(fs) == 0 {
		fs = []broker.Failure{{Kind: broker.FailureUndecodable, Error: "the record of the failure is malformed"}}
	}
	result.Failure = &fs[len(fs)-1]
	return result
}

// uuidTime returns the time that a UUIDv7 holds.
func uuidTime(id string) (time.Time, bool) {
	ms, ok := codec.UUIDMilli(id)
	// AMQP has no times before 1970.
	return time.UnixMilli(ms), ok && ms > clockSkew.Milliseconds()
}
