package rabbitmq

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/codec"
	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/wire"
)

// A schedules value is the channel of a session through which schedules tick.
type schedules struct {
	ch      *wire.Channel
	log     *slog.Logger
	session *session

	// renewAfter is the age at which what is kept is replaced by a copy.
	// RabbitMQ closes a channel on which a message is not acknowledged in time
	// (consumer_timeout).
	renewAfter time.Duration

	mu    sync.Mutex
	posts map[string]*post // by queue

	tagsMu sync.Mutex
	tags   map[string]*post // by the tag of its fetcher
}

// openSchedules prepares a session for schedules.
func (b *Broker) openSchedules(ctx context.Context, s *session) error {
	ch, err := s.Publisher(ctx, nil)
	if err != nil {
		return err
	}
	s.schedules = &schedules{
		ch: ch, log: b.log, session: s, renewAfter: b.config.consumerTimeout / 3,
		posts: make(map[string]*post), tags: make(map[string]*post),
	}
	go s.schedules.run()
	return nil
}

// run passes what arrives to the posts, until the channel ends.
func (t *schedules) run() {
	var in []*wire.Delivery
	for {
		select {
		case <-t.ch.Arrived():
		case <-t.ch.Done():
			t.session.End(fmt.Errorf("channel lost: %w", t.ch.Err())) // begin anew
			t.tagsMu.Lock()
			defer t.tagsMu.Unlock()
			for _, p := range t.tags {
				p.end()
			}
			return
		}
		var cancelled []string
		in, cancelled = t.ch.Take(in)
		for _, d := range in {
			p := t.post(d.Consumer)
			if p == nil {
				t.session.End(fmt.Errorf("RabbitMQ delivers to a consumer %q that does not exist", d.Consumer))
				continue
			}
			if err := p.receive(d); err != nil {
				t.session.End(err)
			}
		}
		for _, tag := range cancelled {
			t.session.End(fmt.Errorf("consumer %s: %w", tag, wire.ErrCancelled)) // begin anew
		}
	}
}

func (t *schedules) post(tag string) *post {
	t.tagsMu.Lock()
	defer t.tagsMu.Unlock()
	return t.tags[tag]
}

// send publishes without waiting for the confirm.
func (t *schedules) send(queue string, m codec.Envelope) error {
	_, err := t.ch.Publish("", queue, &m.Properties, m.Body)
	return err
}

// publish publishes and waits for the confirm. After an error the session is
// over, and with it the right to tick: what became of the message is found out
// by who becomes active next.
func (t *schedules) publish(ctx context.Context, queue string, m codec.Envelope) error {
	c, err := t.ch.Publish("", queue, &m.Properties, m.Body)
	if err == nil {
		if c.Wait(ctx) == wire.Confirmed {
			return nil
		}
		err = cmp.Or(ctx.Err(), errors.New("RabbitMQ did not take the tick; the queue may be full"))
	}
	t.session.End(fmt.Errorf("tick unconfirmed: %w", err))
	return fmt.Errorf("%w: %w", broker.ErrUnknownOutcome, err)
}

// token returns a message that records a tick.
func token(tick time.Time) codec.Envelope {
	var h wire.Builder
	h.Int(headerTick, tick.UnixMilli())
	return codec.Envelope{Properties: wire.Properties{DeliveryMode: wire.Persistent, Headers: h.Table()}}
}
