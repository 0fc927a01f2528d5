package results

import "time"

const (
	// maxRecords is how many records an index holds, in segments of which the
	// oldest is dropped first.
	maxRecords     = 250_000
	segmentRecords = 16_000

	// maxBodies bounds the memory of the outcomes that are kept in the index, and
	// maxBody is how large one of them may be. Others are read again.
	maxBodies = 32 << 20
	maxBody   = 4 << 10
)

// An index knows what a stretch of the stream holds. A nil one knows nothing.
type index struct {
	segments []*segment // the oldest first, without a gap
	since    time.Time  // nothing that was recorded since then is missing; zero for nothing at all
	next     int64      // the offset after the last record; 0 if there is none
	last     key        // of the last record
	records  int
	bodies   int // bytes
}

// A segment is a part of an index.
type segment struct {
	first   int64 // offset
	records int
	bodies  int
	latest  int64 // when one of the records was published, in Unix seconds
	entries map[key]entry
}

// covers reports whether nothing is missing that was recorded since a time, or at
// all if that is zero.
func (ix *index) covers(since time.Time) bool {
	return ix != nil && (ix.since.IsZero() || !since.Before(ix.since))
}

// first returns the offset of the first record, or -1 if there is none.
func (ix *index) first() int64 {
	if ix == nil || len(ix.segments) == 0 {
		return -1
	}
	return ix.segments[0].first
}

// lookUp returns what the index knows of a message.
func (ix *index) lookUp(k key) (e entry) {
	if ix == nil {
		return e
	}
	for _, s := range ix.segments {
		e = e.followedBy(s.entries[k])
	}
	return e
}

// add adds the next record.
func (ix *index) add(k key, rec *record) {
	n := len(ix.segments)
	if n == 0 || ix.segments[n-1].records == segmentRecords {
		ix.segments = append(ix.segments, &segment{first: rec.offset, entries: make(map[key]entry)})
		n++
	}
	ix.next, ix.last = rec.offset+1, k
	ix.records++
	ix.bodies += ix.segments[n-1].add(k, rec)
	ix.trim()
}

// add adds the next record, and returns how many bytes that takes of maxBodies.
func (s *segment) add(k key, rec *record) (size int) {
	s.records++
	s.latest = max(s.latest, rec.published)
	if rec.kind != accepted && rec.kind != done && rec.kind != dead && rec.kind != cancelled {
		return 0
	}
	e := s.entries[k].add(rec)
	if e.record == rec {
		if len(rec.body) > maxBody {
			e.record = nil
		} else {
			size = rec.size()
		}
	}
	s.entries[k] = e
	s.bodies += size
	return size
}

// prepend adds what another index knows of the records just before the first one.
func (ix *index) prepend(older *index) {
	ix.segments = append(older.segments, ix.segments...)
	ix.since = older.since
	ix.records += older.records
	ix.bodies += older.bodies
	ix.trim()
}

// trim drops what is too much.
func (ix *index) trim() {
	for ix.records > maxRecords {
		s := ix.segments[0]
		ix.segments = ix.segments[1:]
		ix.records -= s.records
		ix.bodies -= s.bodies
		if left := time.Unix(s.latest+1, 0); left.After(ix.since) {
			ix.since = left
		}
	}
	for _, s := range ix.segments {
		if ix.bodies <= maxBodies {
			return
		}
		ix.bodies -= s.bodies
		s.forgetBodies()
	}
}

// forgetBodies drops the outcomes. They are read again when they are asked for.
func (s *segment) forgetBodies() {
	for k, e := range s.entries {
		if e.record != nil {
			e.record = nil
			s.entries[k] = e
		}
	}
	s.bodies = 0
}
