package results

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/stream"
	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/wire"
)

const (
	// gather is how long a reading waits for those who come at the same time: it
	// begins where the oldest of their ids does.
	gather = 5 * time.Millisecond

	// linger is for how long a reading goes on when nobody waits any more, so that
	// who asks again and again does not read again and again.
	linger = time.Minute
)

// A follower reads the stream, once for all who wait on a connection, and knows what
// it has read.
type follower struct {
	r       *Reader
	conn    *wire.Conn
	ctx     context.Context // ends with the reading
	stop    context.CancelFunc
	started chan struct{} // closed once the place in the stream is fixed
	ended   chan struct{} // closed when it reads no more
	err     error         // why; valid once ended is closed

	mu       sync.Mutex
	index    *index
	resumed  bool // the index is of an earlier follower
	caughtUp bool // what comes now is new
	watches  map[key]map[*watch]struct{}
	idle     *time.Timer // stops the reading, while nobody waits

	fences fences
	fills  fills
}

// A watch is a call that waits for the outcome of a message.
type watch struct {
	id    string
	key   key
	since time.Time // nothing was recorded of the id before; zero if that is unknown
	once  bool      // nobody uses the id for a second task
	entry entry     // guarded by follower.mu
	news  chan struct{}
}

// follow begins to read on conn. It goes on where the index of an earlier follower
// ends, unless that is nil.
func (r *Reader) follow(conn *wire.Conn, ix *index) *follower {
	f := &follower{
		r: r, conn: conn, index: ix,
		started: make(chan struct{}), ended: make(chan struct{}),
		watches: make(map[key]map[*watch]struct{}),
	}
	f.fences.f, f.fills.f = f, f
	f.ctx, f.stop = context.WithCancel(context.Background())
	go func() {
		defer close(f.ended)
		defer f.stop()
		f.err = f.run()
	}()
	return f
}

// run reads until the connection is lost, or nobody has waited for a while.
func (f *follower) run() error {
	select {
	case <-time.After(gather):
	case <-f.ctx.Done():
		return f.ctx.Err()
	}
	records, err := read(f.ctx, f.conn, f.r.stream, f.begin(), prefetch)
	if err != nil {
		return f.forget(err)
	}
	defer records.close()
	if err := f.resume(records); err != nil {
		return f.forget(err)
	}
	close(f.started)
	for {
		rec, err := records.next(f.ctx)
		if err != nil {
			return f.forget(err)
		}
		f.pass(rec)
	}
}

// begin returns the place where to begin.
func (f *follower) begin() stream.Place {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.index != nil && f.index.next > 0 {
		f.resumed = true
		return stream.Place{Offset: f.index.next - 1}
	}
	since := time.Now()
	for _, ws := range f.watches {
		for w := range ws {
			if !w.since.IsZero() && w.since.Before(since) {
				since = w.since
			}
		}
	}
	f.index = &index{since: since}
	return stream.Place{Time: since}
}

// resumeTime is how long the last record of an index may take to come again.
const resumeTime = 5 * time.Second

// resume reads the last record of the index once more, if there is one: the stream may
// have been deleted and declared again. If that has fewer records now, nothing comes
// before it has as many.
func (f *follower) resume(records *reader) error {
	f.mu.Lock()
	resumed, offset, last := f.resumed, f.index.next-1, f.index.last
	f.mu.Unlock()
	if !resumed {
		return nil
	}
	ctx, cancel := context.WithTimeout(f.ctx, resumeTime)
	defer cancel()
	rec, err := records.next(ctx)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return errOtherStream
	case err != nil:
		return err
	case rec.offset != offset || keyOf(rec.id) != last:
		return errOtherStream
	}
	return nil
}

// errOtherStream ends a reading that does not go on where the last one ended.
var errOtherStream = errors.New("the stream of results is another one than before")

// forget drops the index if it is not to be gone on with after an error.
func (f *follower) forget(err error) error {
	if errors.Is(err, wire.ErrCancelled) || errors.Is(err, errOtherStream) || errors.Is(err, context.Canceled) {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.index = nil
	}
	return err
}

// pass takes the next record, and gives it to those who wait for it.
func (f *follower) pass(rec *record) {
	k := keyOf(rec.id)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.index.add(k, rec)
	if rec.kind == fence {
		f.caughtUp = f.fences.passed(rec.id) || f.caughtUp
		return
	}
	for w := range f.watches[k] {
		w.entry = w.entry.add(rec)
		w.signal()
	}
}

func (w *watch) signal() {
	select {
	case w.news <- struct{}{}:
	default:
	}
}

// takeIndex takes the index of a follower that has ended.
func (f *follower) takeIndex() *index {
	f.mu.Lock()
	defer f.mu.Unlock()
	ix := f.index
	f.index = nil
	return ix
}

// enter adds a watch.
func (f *follower) enter(w *watch) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.idle != nil {
		f.idle.Stop()
		f.idle = nil
	}
	w.entry = f.index.lookUp(w.key)
	if f.watches[w.key] == nil {
		f.watches[w.key] = make(map[*watch]struct{})
	}
	f.watches[w.key][w] = struct{}{}
}

// leave removes a watch.
func (f *follower) leave(w *watch) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if delete(f.watches[w.key], w); len(f.watches[w.key]) == 0 {
		delete(f.watches, w.key)
	}
	if len(f.watches) == 0 {
		f.idle = time.AfterFunc(linger, func() { f.r.retire(f) })
	}
}

// known returns what is known of what a watch waits for, and whether all has been
// read that was recorded when the reading began.
func (f *follower) known(w *watch) (e entry, caughtUp bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return w.entry, f.caughtUp
}

// lookAgain takes what the index knows by now of what a watch waits for.
func (f *follower) lookAgain(w *watch) {
	f.mu.Lock()
	defer f.mu.Unlock()
	w.entry = f.index.lookUp(w.key).followedBy(w.entry)
}
