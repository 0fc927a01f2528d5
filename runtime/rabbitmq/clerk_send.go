package rabbitmq

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/census"
	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/codec"
	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/wire"
)

// errNoCensus: the connection is there, and the stream takes no records.
var errNoCensus = errors.New("no record was taken")

// publish publishes records, on one session after the other. Its error wraps
// errNoCensus or broker.ErrBlocked, or there is no session in time.
func (c *clerk) publish(ctx context.Context, rs records) error {
	var es []codec.Envelope
	for _, r := range rs {
		es = append(es, r.Envelope(rand.Text()))
	}
	return c.send(ctx, es)
}

func (c *clerk) send(ctx context.Context, es []codec.Envelope) error {
	var lost error
	for try := 0; try < clerkTries; try++ {
		s, err := c.connect(ctx)
		if errors.Is(err, errNoCensus) {
			if lost = err; sleep(ctx, backoff(try)) {
				continue
			}
		}
		if err != nil {
			return err
		}
		if err := s.awaitAccepting(ctx); ctx.Err() != nil {
			return err
		}
		limited, cancel := context.WithTimeout(ctx, patienceOf(ctx))
		err = c.sendOn(limited, s, es)
		cancel()
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil && s.Blocked() != nil:
			return fmt.Errorf("%w: %w", broker.ErrBlocked, ctx.Err())
		case ctx.Err() != nil:
			return ctx.Err()
		case s.Blocked() != nil: // a connection is told so when it has sent something
			try--
			continue
		case isClosed(s.Done()):
			err = s.Err()
		case !errors.Is(err, broker.ErrUnroutable): // then somebody has deleted the stream
			try = clerkTries
		}
		lost = err
		c.forget()
		if try < clerkTries && !sleep(ctx, backoff(try)) {
			return ctx.Err()
		}
	}
	return fmt.Errorf("%w: %w", errNoCensus, lost)
}

// connect returns a session for records, which waits for one for messages. It is one of
// its own: RabbitMQ may end a connection because of a stream, and messages are to go
// on. It is needed about once a day.
func (c *clerk) connect(ctx context.Context) (*session, error) {
	publishing, err := c.b.publishing.session(ctx)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	s := c.session
	c.mu.Unlock()
	if s == nil || isClosed(s.Done()) {
		s, err = dial(ctx, c.b.config, publishing.host, "census", c.b.log, patienceOf(ctx))
		switch {
		case err != nil && ctx.Err() != nil:
			return nil, err
		case err != nil:
			return nil, fmt.Errorf("%w: %w", errNoCensus, err)
		}
		c.ch = nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ctx.Err() != nil {
		s.End(broker.ErrClosed)
		return nil, broker.ErrClosed
	}
	c.session = s
	if c.idle == nil {
		c.idle = time.AfterFunc(clerkIdle, c.hangUp)
	} else {
		c.idle.Reset(clerkIdle)
	}
	return s, nil
}

// hangUp closes the connection. Who uses it just then opens another.
func (c *clerk) hangUp() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.idle != nil {
		c.idle.Stop()
	}
	if c.session != nil {
		c.session.End(broker.ErrClosed)
		c.session = nil
	}
}

// patienceOf returns how long records may take. The message that waits for them needs
// time as well.
func patienceOf(ctx context.Context) time.Duration {
	if deadline, ok := ctx.Deadline(); ok {
		return min(clerkPatience, time.Until(deadline)/2)
	}
	return clerkPatience
}

// forget makes the next records begin with a new channel, and with declaring the
// stream.
func (c *clerk) forget() {
	if c.ch != nil {
		go c.ch.Close()
	}
	c.ch = nil
	c.b.topology.known.Delete(c.b.topology.census())
}

// sendOn publishes records on a session, and waits for their confirms.
func (c *clerk) sendOn(ctx context.Context, s *session, es []codec.Envelope) (err error) {
	stream := c.b.topology.census()
	if err := c.b.topology.ensureAlone(ctx, s, stream, census.Arguments()); err != nil {
		return err
	}
	if c.ch == nil || c.ch.Err() != nil {
		if c.ch, err = s.Publisher(ctx, nil); err != nil {
			c.ch = nil
			return err
		}
	}
	for part := range slices.Chunk(es, batchWindow) {
		sent := make([]*wire.Confirmation, len(part))
		for i := range part {
			if sent[i], err = c.ch.Publish("", stream, &part[i].Properties, nil); err != nil {
				return err
			}
		}
		for _, w := range sent {
			switch w.Wait(ctx) {
			case wire.Confirmed:
			case wire.Unroutable:
				err = fmt.Errorf("%w: %s", broker.ErrUnroutable, stream)
			case wire.Refused:
				err = fmt.Errorf("stream %s refuses them", stream)
			default:
				return fmt.Errorf("stream %s confirms nothing", stream)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}
