package rabbitmq

import (
	"context"
	"crypto/rand"
	"errors"
	"time"

	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/stream"
	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/wire"
)

const (
	// clockSkew is how far the clocks of processes may be from that of RabbitMQ
	// without anything being missed that is asked for by time.
	clockSkew = 15 * time.Minute

	// journalPrefetch is how many entries RabbitMQ sends ahead.
	journalPrefetch = 500

	// fencePatience is how long the end of a stream is looked for by a fence. While
	// RabbitMQ takes no messages, or none of this user, the end is where nothing has
	// come for quietEnd.
	fencePatience = 3 * time.Second
	quietEnd      = time.Second
)

// onWaiting calls f with a session for reading streams, and once more with the next
// one if that ends meanwhile.
func onWaiting[T any](ctx context.Context, b *Broker, f func(*session) (T, error)) (result T, err error) {
	if err := b.waiting.start(ctx); err != nil {
		return result, err
	}
	s, err := b.waiting.session(ctx)
	for {
		if err != nil {
			return result, err
		}
		on := s
		result, err = within(ctx, func() (T, error) { return f(on) }, nil)
		if err == nil || ctx.Err() != nil || !isClosed(s.Done()) {
			return result, b.waiting.trouble.explain(err)
		}
		s, err = b.waiting.next(ctx, s)
	}
}

// readEntries calls f with all entries that were recorded since a time. When it has
// come to the end of the stream it calls caughtUp and goes on until ctx ends, or, if
// caughtUp is nil, returns.
func (b *Broker) readEntries(ctx context.Context, s *session, c class, since time.Time, f func(*wire.Delivery), caughtUp func()) error {
	name := b.topology.namespace + "." + string(c)
	if exists, err := queueExists(ctx, s, name); err != nil || !exists {
		return err
	}
	entries, err := stream.Read(ctx, s.Conn, name, stream.Place{Time: since}, journalPrefetch)
	if err != nil {
		return err
	}
	defer entries.Close()
	fence := rand.Text()
	fenced := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(ctx, fencePatience)
		defer cancel()
		fenced <- b.publish(ctx, b.entry(c, fence, nil))
	}()
	refused := false
	for atEnd := false; ; {
		d, err := nextEntry(ctx, entries, !atEnd)
		select {
		case err := <-fenced:
			refused = err != nil
		default:
		}
		switch {
		case errors.Is(err, errQuiet) && !refused:
		case errors.Is(err, errQuiet), err == nil && d.MessageID == fence:
			if caughtUp == nil {
				return nil
			}
			atEnd = true
			caughtUp()
		case err != nil:
			return err
		case len(d.Body) == 0: // the fence of another
		default:
			f(d)
		}
	}
}

var errQuiet = errors.New("nothing has come for a while")

// nextEntry returns the next entry, or errQuiet if that takes long and is bounded.
func nextEntry(ctx context.Context, entries *stream.Reader, bounded bool) (*wire.Delivery, error) {
	if !bounded {
		return entries.Next(ctx)
	}
	soon, cancel := context.WithTimeout(ctx, quietEnd)
	defer cancel()
	d, err := entries.Next(soon)
	if err != nil && ctx.Err() == nil && soon.Err() != nil {
		err = errQuiet
	}
	return d, err
}
