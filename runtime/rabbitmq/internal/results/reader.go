package results

import (
	"context"
	"crypto/rand"
	"errors"
	"sync"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/codec"
	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/wire"
)

const (
	// maxCatchUps is how many calls read the stream at once, and prefetch how
	// many records RabbitMQ sends ahead of each, acknowledged by halves. They
	// bound the memory that results of broker.MaxBodySize take.
	maxCatchUps = 16
	prefetch    = 64

	// clockSkew is how far the clock of a client may be ahead of that of
	// RabbitMQ without making a wait slow.
	clockSkew = 5 * time.Second
)

// A Reader finds out what became of messages.
type Reader struct {
	stream  string
	publish func(context.Context, codec.Envelope) error
	room    chan struct{} // holds an element for each catch-up

	mu   sync.Mutex
	tail *tail // nil while nobody waits
}

// NewReader returns a reader of the stream with the given name. publish
// publishes a record to it and returns when that is confirmed.
func NewReader(stream string, publish func(context.Context, codec.Envelope) error) *Reader {
	return &Reader{stream: stream, publish: publish, room: make(chan struct{}, maxCatchUps)}
}

// Wait waits for the outcome of a message. It reads on conn, and ends with it.
func (r *Reader) Wait(ctx context.Context, conn *wire.Conn, id string) (broker.Result, error) {
	w, err := r.watch(ctx, conn, id)
	if err != nil {
		return broker.Result{}, err
	}
	defer r.leave(w)
	h, err := r.lookUp(ctx, conn, id)
	if err != nil {
		return broker.Result{}, err
	}
	for {
		result, pending, err := h.outcome()
		if !pending {
			return result, err
		}
		select {
		case <-w.news:
			for _, rec := range w.tail.collected(w) {
				h.add(rec)
			}
		case <-w.tail.ended:
			return broker.Result{}, w.tail.err
		case <-ctx.Done():
			return broker.Result{}, ctx.Err()
		}
	}
}

// Watched reports whether somebody waits for the outcome of a message, and is
// told of what is new.
func (r *Reader) Watched(id string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	t := r.tail
	return t != nil && isClosed(t.ready) && !isClosed(t.ended) && len(t.watchers[id]) > 0
}

// lookUp returns what is recorded of a message by now.
func (r *Reader) lookUp(ctx context.Context, conn *wire.Conn, id string) (*history, error) {
	select {
	case r.room <- struct{}{}:
		defer func() { <-r.room }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if t, ok := uuidTime(id); ok {
		h := newHistory(id)
		h.once = true
		if err := r.catchUp(ctx, conn, t.Add(-clockSkew), h); err != nil || h.newest != nil {
			return h, err
		}
	}
	h := newHistory(id)
	return h, r.catchUp(ctx, conn, "first", h)
}

// catchUp adds to h what the stream holds from a place on: "first", or a
// time. To know where the present end is it publishes a fence, a record of its
// own, and reads up to it.
func (r *Reader) catchUp(ctx context.Context, conn *wire.Conn, from any, h *history) error {
	records, err := read(ctx, conn, r.stream, from)
	if err != nil {
		return err
	}
	defer records.close()
	end := rand.Text()
	if err := r.publish(ctx, encode(fence, end, "", time.Time{}, nil)); err != nil {
		if ctx.Err() != nil && errors.Is(err, broker.ErrUnknownOutcome) {
			return ctx.Err() // what became of the fence is of no interest
		}
		return err
	}
	for {
		rec, err := records.next(ctx)
		switch {
		case err != nil:
			return err
		case rec.id == end:
			return nil
		case rec.id == h.id:
			if h.add(rec); rec.kind == done && h.once {
				return nil // whatever follows, it is no other task
			}
		}
	}
}
