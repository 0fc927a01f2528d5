package results

import (
	"context"
	"sync"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/codec"
	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/stream"
	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/wire"
)

const (
	// prefetch is how many records RabbitMQ sends ahead of a reading, which
	// acknowledges by halves. It bounds the memory that results of
	// broker.MaxBodySize take.
	prefetch = 64

	// maxFetches is how many outcomes that are not in memory are read at once.
	maxFetches = 16

	// clockSkew is how far the clock of a client may be ahead of that of
	// RabbitMQ without making a wait slow.
	clockSkew = 5 * time.Second
)

// A Reader finds out what became of messages. It reads the stream once, for all who
// wait, and knows then where everything is.
type Reader struct {
	stream  string
	publish func(context.Context, codec.Envelope) error
	room    chan struct{} // holds an element for each outcome that is being read

	mu       sync.Mutex
	follower *follower // nil until somebody waits
}

// NewReader returns a reader of the stream with the given name. publish
// publishes a record to it and returns when that is confirmed.
func NewReader(stream string, publish func(context.Context, codec.Envelope) error) *Reader {
	return &Reader{stream: stream, publish: publish, room: make(chan struct{}, maxFetches)}
}

// Wait waits for the outcome of a message. It reads on conn, and ends with it.
func (r *Reader) Wait(ctx context.Context, conn *wire.Conn, id string) (broker.Result, error) {
	w := &watch{id: id, key: keyOf(id), news: make(chan struct{}, 1)}
	if t, ok := uuidTime(id); ok {
		w.since, w.once = t.Add(-clockSkew), true
	}
	f := r.join(conn, w)
	defer f.leave(w)
	select {
	case <-f.started:
	case <-f.ended:
		return broker.Result{}, f.err
	case <-ctx.Done():
		return broker.Result{}, ctx.Err()
	}
	if err := f.fill(ctx, w, w.since); err != nil {
		return broker.Result{}, err
	}
	return f.wait(ctx, w)
}

// wait waits for the outcome of a message of which the index has all records there
// are by the time in its id.
//
// What the index knows may be old. An outcome of an id that nobody uses twice is the
// last record of it; if the message is on its way more will come; in all other cases
// the end of the stream is looked for. If there is still nothing then, the time in
// the id may be wrong, and everything is read.
func (f *follower) wait(ctx context.Context, w *watch) (broker.Result, error) {
	upToDate, all := false, w.since.IsZero()
	for {
		var err error
		e, caughtUp := f.known(w)
		switch {
		case (e.kind == done || e.kind == cancelled) && (w.once || upToDate), e.kind == dead && upToDate:
			return f.outcome(ctx, w, e)
		case e.kind == accepted:
			err = f.awaitNews(ctx, w)
			upToDate = upToDate || caughtUp
		case !upToDate:
			err = f.fences.await(ctx)
			upToDate = true
		case !all:
			err = f.fill(ctx, w, time.Time{})
			all = true
		default:
			return broker.Result{}, broker.ErrNoResult
		}
		if err != nil {
			return broker.Result{}, err
		}
	}
}

// fill has the index know what was recorded since a time, or all there is if that is
// zero.
func (f *follower) fill(ctx context.Context, w *watch, since time.Time) error {
	err := f.fills.await(ctx, since)
	f.lookAgain(w)
	return err
}

// awaitNews waits for a record of what a watch waits for.
func (f *follower) awaitNews(ctx context.Context, w *watch) error {
	select {
	case <-w.news:
		return nil
	case <-f.ended:
		return f.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// outcome returns an outcome, which it reads if it is not in memory.
func (f *follower) outcome(ctx context.Context, w *watch, e entry) (broker.Result, error) {
	if e.record != nil {
		return e.record.outcome()
	}
	select {
	case f.r.room <- struct{}{}:
		defer func() { <-f.r.room }()
	case <-ctx.Done():
		return broker.Result{}, ctx.Err()
	}
	records, err := read(ctx, f.conn, f.r.stream, stream.Place{Offset: e.offset}, 1)
	if err != nil {
		return broker.Result{}, err
	}
	defer records.close()
	rec, err := records.next(ctx)
	switch {
	case err != nil:
		return broker.Result{}, err
	case rec.offset != e.offset || rec.id != w.id: // it is gone
		return broker.Result{}, broker.ErrNoResult
	}
	return rec.outcome()
}

// join returns the follower on conn, with a watch in it.
func (r *Reader) join(conn *wire.Conn, w *watch) *follower {
	r.mu.Lock()
	defer r.mu.Unlock()
	f := r.follower
	if f == nil || f.conn != conn || f.ctx.Err() != nil || isClosed(f.ended) {
		var ix *index
		if f != nil && isClosed(f.ended) {
			ix = f.takeIndex()
		}
		f = r.follow(conn, ix)
		r.follower = f
	}
	f.enter(w)
	return f
}

// retire ends a follower for which nobody waits any more, and forgets what it knows.
func (r *Reader) retire(f *follower) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.watches) > 0 {
		return
	}
	f.stop()
	if r.follower == f {
		r.follower = nil
	}
}

// Watched reports whether somebody waits for the outcome of a message, and is
// told of what is new.
func (r *Reader) Watched(id string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	f := r.follower
	if f == nil || !isClosed(f.started) || isClosed(f.ended) {
		return false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.watches[keyOf(id)]) > 0
}

func isClosed(ch <-chan struct{}) bool {
	select {
	case <-ch:
		return true
	default:
		return false
	}
}
