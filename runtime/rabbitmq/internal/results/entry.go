package results

import (
	"crypto/sha256"
	"hash/maphash"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// A key stands for an id.
type key [16]byte

func keyOf(id string) key {
	sum := sha256.Sum256([]byte(id))
	return key(sum[:])
}

// An entry is what is recorded of one message, by its newest record. The zero value
// is that of a message of which nothing is recorded.
type entry struct {
	kind   kind
	offset int64   // of the newest record
	nonce  uint64  // the hash of that of the last time it was accepted
	byID   bool    // it was accepted with its id as the nonce
	record *record // of an outcome, if it is in memory
}

var nonceSeed = maphash.MakeSeed()

// add returns the entry with a newer record. One whose confirm was lost is published
// twice, and counts once.
func (e entry) add(rec *record) entry {
	switch rec.kind {
	case accepted:
		next := entry{kind: accepted, offset: rec.offset, nonce: maphash.String(nonceSeed, rec.nonce), byID: rec.nonce == rec.id}
		return e.followedBy(next)
	case done, dead, cancelled:
		e.kind, e.offset, e.record = rec.kind, rec.offset, rec
	}
	return e
}

// followedBy returns the entry for the records of e and of one that was made of later
// ones, or of some of the same.
func (e entry) followedBy(next entry) entry {
	if next.kind == "" || next.offset <= e.offset && e.kind != "" {
		return e
	}
	if next.kind == accepted && e.kind != "" && (next.byID && e.byID || !next.byID && next.nonce == e.nonce) {
		return e // accepted once, recorded twice
	}
	if next.nonce == 0 {
		next.nonce = e.nonce
	}
	next.byID = next.byID || e.byID
	return next
}

// outcome returns the outcome that a record holds.
func (r *record) outcome() (broker.Result, error) {
	if time.Now().After(r.expires) {
		return broker.Result{}, broker.ErrNoResult
	}
	return r.result(), nil
}
