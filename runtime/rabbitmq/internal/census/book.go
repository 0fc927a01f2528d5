package census

import (
	"maps"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// MaxKinds is how many kinds a process names. Others share one that has no name.
	MaxKinds = 1000

	// slack is how much later than a message its record says that all are due, at
	// least, so that the next message needs no new record.
	slack = 24 * time.Hour
)

// A Book knows what a process has recorded. The zero value is empty.
type Book struct {
	writing sync.Mutex
	pages   atomic.Pointer[map[Kind]*page] // replaced by a copy for each new kind: it is read for every message
	last    atomic.Pointer[page]           // that was looked up; the next message is often of its kind
}

// A page is about one kind. Times are in Unix seconds.
type page struct {
	kind             Kind
	recorded, latest atomic.Int64
}

// Covers reports whether a message of a kind that is due at a time, or at once, needs
// no new record.
func (b *Book) Covers(k Kind, due time.Time) bool {
	p := b.page(k)
	return p != nil && p.covers(time.Now(), due)
}

func (p *page) covers(now, due time.Time) bool {
	age := now.Unix() - p.recorded.Load()
	return age < int64(Valid/time.Second) && age > -int64(Valid/time.Second) && (due.IsZero() || due.Unix() < p.latest.Load())
}

// page returns the page of a kind, or nil.
func (b *Book) page(k Kind) *page {
	if p := b.last.Load(); p != nil && p.kind == k {
		return p
	}
	pages := b.pages.Load()
	if pages == nil {
		return nil
	}
	if p := (*pages)[k]; p != nil || len(*pages) < MaxKinds {
		if p != nil {
			b.last.Store(p)
		}
		return p
	}
	return (*pages)[Kind{}]
}

// Next returns the record that covers a message of a kind which is due at a time.
func (b *Book) Next(k Kind, due time.Time) Record {
	now := time.Now()
	r := Record{Kind: k}
	if pages := b.pages.Load(); pages != nil && len(*pages) >= MaxKinds && (*pages)[k] == nil {
		r.Kind = Kind{}
	}
	if p := b.page(k); p != nil {
		if latest := time.Unix(p.latest.Load(), 0); latest.After(now) {
			r.Latest = latest
		}
	}
	if !due.IsZero() {
		if later := due.Add(max(slack, due.Sub(now)/4)); later.After(r.Latest) {
			r.Latest = later
		}
	}
	return r
}

// Enter notes that a record is on disk.
func (b *Book) Enter(r Record) {
	b.writing.Lock()
	defer b.writing.Unlock()
	old := b.pages.Load()
	if old == nil {
		old = new(map[Kind]*page)
	}
	p := (*old)[r.Kind]
	if p == nil {
		p = &page{kind: r.Kind}
		next := maps.Clone(*old)
		if next == nil {
			next = make(map[Kind]*page)
		}
		next[r.Kind] = p
		defer b.pages.Store(&next)
	}
	if !r.Latest.IsZero() {
		p.latest.Store(max(p.latest.Load(), r.Latest.Unix()))
	}
	p.recorded.Store(time.Now().Unix())
}
