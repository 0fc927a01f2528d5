package rabbitmq

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/codec"
	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/wire"
)

const (
	// maxCatchUps is how many calls read the stream at once, and
	// streamPrefetch how many records RabbitMQ sends ahead of each, acknowledged
	// by halves. They bound the memory that results of broker.MaxBodySize take.
	maxCatchUps    = 16
	streamPrefetch = 64

	// clockSkew is how far the clock of a client may be ahead of that of
	// RabbitMQ without making a wait slow.
	clockSkew = 5 * time.Second
)

// A waiting is what those who wait for results have in common.
type waiting struct {
	link *link         // started by the first wait
	room chan struct{} // holds an element for each catch-up

	mu   sync.Mutex
	tail *tail // nil while nobody waits
}

func newWaiting(c *config, log *slog.Logger) *waiting {
	plain := func(context.Context, *session) error { return nil }
	return &waiting{link: newLink(c, log, "waiting", plain), room: make(chan struct{}, maxCatchUps)}
}

// Result implements [broker.ResultStore]. For a message that was purged, or that
// RabbitMQ itself has moved to the dead letters, it waits until ctx ends.
func (b *Broker) Result(ctx context.Context, id string) (broker.Result, error) {
	if err := b.waiting.link.start(ctx); err != nil {
		return broker.Result{}, err
	}
	for attempt := 0; ; attempt++ {
		s, err := b.waiting.link.session(ctx)
		if err != nil {
			return broker.Result{}, err
		}
		r, err := b.await(ctx, s, id)
		if err == nil || errors.Is(err, broker.ErrNoResult) || errors.Is(err, broker.ErrClosed) || isPermanent(err) || ctx.Err() != nil {
			return r, err
		}
		// The connection is lost, or the stream was deleted: read again.
		b.topology.known.Delete(b.topology.results())
		if !sleep(ctx, backoff(min(attempt, 3))) {
			return broker.Result{}, fmt.Errorf("%w: %w", ctx.Err(), err)
		}
	}
}

// await waits for the outcome of a message on s.
func (b *Broker) await(ctx context.Context, s *session, id string) (broker.Result, error) {
	if err := b.topology.ensureResults(ctx, s); err != nil {
		return broker.Result{}, err
	}
	w, err := b.waiting.watch(ctx, s, b.topology.results(), id)
	if err != nil {
		return broker.Result{}, err
	}
	defer b.waiting.leave(w)
	h, err := b.lookUp(ctx, s, id)
	if err != nil {
		return broker.Result{}, err
	}
	for {
		r, pending, err := h.outcome()
		if !pending {
			return r, err
		}
		select {
		case <-w.news:
			for _, rec := range w.tail.take(w) {
				h.add(rec)
			}
		case <-w.tail.ended:
			return broker.Result{}, w.tail.err
		case <-ctx.Done():
			return broker.Result{}, ctx.Err()
		}
	}
}

// lookUp returns what is recorded of a message by now.
func (b *Broker) lookUp(ctx context.Context, s *session, id string) (*history, error) {
	select {
	case b.waiting.room <- struct{}{}:
		defer func() { <-b.waiting.room }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if t, ok := uuidTime(id); ok {
		h := newHistory(id)
		h.once = true
		if err := b.catchUp(ctx, s, t.Add(-clockSkew), h); err != nil || h.newest != nil {
			return h, err
		}
	}
	h := newHistory(id)
	return h, b.catchUp(ctx, s, "first", h)
}

// catchUp adds to h what the stream holds from a place on: "first", or a
// time. To know where the present end is it publishes a fence, a record of its
// own, and reads up to it.
func (b *Broker) catchUp(ctx context.Context, s *session, from any, h *history) error {
	r, err := within(ctx, func() (*streamReader, error) { return readStream(ctx, s, b.topology.results(), from) }, (*streamReader).close)
	if err != nil {
		return err
	}
	defer r.close()
	fence := rand.Text()
	if err := b.publish(ctx, b.record(recordFence, fence, "", time.Time{}, nil)); err != nil {
		if ctx.Err() != nil && errors.Is(err, broker.ErrUnknownOutcome) {
			return ctx.Err() // what became of the fence is of no interest
		}
		return err
	}
	for {
		rec, err := r.next(ctx)
		switch {
		case err != nil:
			return err
		case rec.id == fence:
			return nil
		case rec.id == h.id:
			if h.add(rec); rec.kind == recordDone && h.once {
				return nil // whatever follows, it is no other task
			}
		}
	}
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
// overlap, and what a lost connection left unconfirmed is published twice.
func (h *history) add(rec record) {
	if rec.offset <= h.offset {
		return
	}
	h.offset = rec.offset
	switch rec.kind {
	case recordAccepted:
		if _, ok := h.nonces[rec.nonce]; ok {
			return
		}
		h.nonces[rec.nonce] = struct{}{}
	case recordDone, recordDead:
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
	case h.newest.kind == recordAccepted:
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

// A streamReader reads a stream from a place on.
type streamReader struct {
	ch   *wire.Channel
	read []*wire.Delivery // and not returned yet
}

// readStream begins to read a stream on s, from "first", "next" or a time. When
// it returns, the place is fixed: what is published from then on is read for
// certain.
func readStream(ctx context.Context, s *session, stream string, from any) (*streamReader, error) {
	ch, err := s.Channel(ctx)
	if err != nil {
		return nil, err
	}
	if err := consumeStream(ch, stream, from); err != nil {
		go ch.Close()
		switch {
		case isCode(err, amqp.PreconditionFailed):
			err = permanent(fmt.Errorf("%w; every node of the cluster needs a replica, see rabbitmq-streams add_replica", err))
		case isCode(err, amqp.AccessRefused):
			err = permanent(fmt.Errorf("%w; the user lacks a permission; grant read for it", err))
		}
		return nil, fmt.Errorf("read stream %s: %w", stream, err)
	}
	return &streamReader{ch: ch}, nil
}

func consumeStream(ch *wire.Channel, stream string, from any) error {
	var arguments wire.Builder
	switch from := from.(type) {
	case string:
		arguments.Text(headerStreamOffset, from)
	case time.Time:
		arguments.Time(headerStreamOffset, from.Unix())
	}
	return ch.Consume(stream, "results", streamPrefetch, arguments.Table())
}

// next returns the next record.
func (r *streamReader) next(ctx context.Context) (record, error) {
	if len(r.read) == 0 {
		var err error
		if r.read, err = r.ch.Wait(ctx); err != nil {
			return record{}, err
		}
	}
	d := r.read[0]
	r.read = r.read[1:]
	if d.Tag%(streamPrefetch/2) == 0 {
		if err := r.ch.Ack(d.Tag, true); err != nil {
			return record{}, err
		}
	}
	return decodeRecord(d), nil
}

// close ends the reading. It does not wait for RabbitMQ.
func (r *streamReader) close() { go r.ch.Close() }
