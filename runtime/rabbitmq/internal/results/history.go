package results

import (
	"encoding/json"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/codec"
	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/wire"
)

// A record is an entry of the stream.
type record struct {
	offset  int64 // its place
	kind    kind
	id      string
	task    string
	nonce   string    // of an accepted one: the same if it is published twice
	expires time.Time // of an outcome
	body    []byte
}

// decode returns the record of a delivery. One that is malformed has no
// kind.
func decode(d *wire.Delivery) record {
	rec := record{id: d.MessageID, task: d.Type, nonce: d.CorrelationID, body: d.Body}
	var r codec.HeaderReader
	var k string
	for name, v := range d.Headers.All() {
		switch name {
		case headerKind:
			r.Text(name, v, &k)
		case codec.HeaderExpires:
			r.Time(name, v, &rec.expires)
		case headerOffset:
			rec.offset, _ = r.Int(name, v)
		}
	}
	if r.Err == nil {
		rec.kind = kind(k)
	}
	return rec
}

// result returns the outcome that a record holds.
func (r *record) result() broker.Result {
	result := broker.Result{Task: r.task}
	if r.kind == done {
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

// A history is what is recorded of one message, from the oldest record on.
type history struct {
	id     string
	once   bool                // nobody uses this id for a second task
	offset int64               // of the last record
	nonces map[string]struct{} // of the times it was accepted
	newest *record             // nil if there is none
}

func newHistory(id string) *history {
	return &history{id: id, offset: -1, nonces: make(map[string]struct{})}
}

// add adds a record, unless it was added before: the catch-up and the tail
// overlap, and a record whose confirm was lost is published twice.
func (h *history) add(rec record) {
	if rec.offset <= h.offset {
		return
	}
	h.offset = rec.offset
	switch rec.kind {
	case accepted:
		if _, ok := h.nonces[rec.nonce]; ok {
			return
		}
		h.nonces[rec.nonce] = struct{}{}
	case done, dead:
	default:
		return
	}
	h.newest = &rec
}

// outcome returns the outcome, or that it is still to come.
func (h *history) outcome() (r broker.Result, pending bool, err error) {
	switch {
	case h.newest == nil:
		return r, false, broker.ErrNoResult
	case h.newest.kind == accepted:
		return r, true, nil
	case time.Now().After(h.newest.expires):
		return r, false, broker.ErrNoResult
	}
	return h.newest.result(), false, nil
}

// uuidTime returns the time that a UUIDv7 holds.
func uuidTime(id string) (time.Time, bool) {
	ms, ok := codec.UUIDMilli(id)
	// AMQP has no times before 1970.
	return time.UnixMilli(ms), ok && ms > clockSkew.Milliseconds()
}
