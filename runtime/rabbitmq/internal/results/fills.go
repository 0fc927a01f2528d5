package results

import (
	"context"
	"time"

	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/stream"
)

// fills reads what lies before the beginning of the index, for all who ask at the
// same time together, back to the oldest time that is asked for. One reading is
// under way at a time.
type fills struct {
	f *follower

	// Guarded by follower.mu.
	running bool
	waiting *fill
}

// A fill is one such reading.
type fill struct {
	since time.Time // zero for all that there is
	done  chan struct{}
	err   error // valid once done is closed
}

// await waits until nothing is missing that was recorded since a time, or at all if
// that is zero.
func (fs *fills) await(ctx context.Context, since time.Time) error {
	f := fs.f
	f.mu.Lock()
	if f.index.covers(since) {
		f.mu.Unlock()
		return nil
	}
	mine := fs.waiting
	if mine == nil {
		mine = &fill{since: since, done: make(chan struct{})}
		fs.waiting = mine
	}
	if since.Before(mine.since) {
		mine.since = since
	}
	if !fs.running {
		fs.running = true
		go fs.run()
	}
	f.mu.Unlock()
	select {
	case <-mine.done:
		return mine.err
	case <-f.ended:
		return f.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// run reads for those who wait, until there are none.
func (fs *fills) run() {
	f := fs.f
	for {
		err := fs.awaitFirst()
		select {
		case <-time.After(gather):
		case <-f.ctx.Done():
		}
		f.mu.Lock()
		current := fs.waiting
		if fs.waiting = nil; current == nil {
			fs.running = false
			f.mu.Unlock()
			return
		}
		covered := f.index.covers(current.since) // by the one before
		f.mu.Unlock()
		if err == nil && !covered {
			err = fs.read(further(current.since))
		}
		current.err = err
		close(current.done)
	}
}

// awaitFirst waits until the index has a first record: up to there is to be read.
func (fs *fills) awaitFirst() error {
	fs.f.mu.Lock()
	none := fs.f.index.first() < 0
	fs.f.mu.Unlock()
	if none {
		return fs.f.fences.await(fs.f.ctx)
	}
	return nil
}

// furthest is how much further back than asked for a fill goes at most.
const furthest = 10 * time.Minute

// further returns a time further back than the one that is asked for, as far again:
// who asks for one id after the other, the newest first, is to read seldom.
func further(since time.Time) time.Time {
	if since.IsZero() {
		return since
	}
	return since.Add(-min(time.Since(since), furthest))
}

// read reads what was recorded since a time and lies before the index.
func (fs *fills) read(since time.Time) error {
	f := fs.f
	f.mu.Lock()
	end := f.index.first()
	wanted := make(map[key]entry, len(f.watches))
	for k := range f.watches {
		wanted[k] = entry{}
	}
	f.mu.Unlock()
	records, err := read(f.ctx, f.conn, f.r.stream, stream.Place{Time: since}, prefetch)
	if err != nil {
		return err
	}
	defer records.close()
	older := &index{since: since}
	for {
		rec, err := records.next(f.ctx)
		if err != nil {
			return err
		}
		if rec.offset >= end {
			break
		}
		k := keyOf(rec.id)
		if e, ok := wanted[k]; ok {
			wanted[k] = e.add(rec)
		}
		older.add(k, rec)
	}
	fs.take(older, end, wanted)
	return nil
}

// take adds what was read to the index, and to what is known of those who wait.
func (fs *fills) take(older *index, end int64, wanted map[key]entry) {
	f := fs.f
	f.mu.Lock()
	defer f.mu.Unlock()
	if end >= 0 && f.index.first() == end {
		f.index.prepend(older)
	}
	for k, e := range wanted {
		for w := range f.watches[k] {
			w.entry = e.followedBy(w.entry)
			w.signal()
		}
	}
}
