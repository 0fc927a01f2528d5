package rabbitmq

import (
	"context"
	"fmt"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/census"
	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/codec"
)

// A publication is a message on its way to a queue of RabbitMQ.
type publication struct {
	message codec.Envelope
	queue   string
	class   class
	name    string    // of the queue of RabbitMQ
	due     time.Time // zero for at once
	rough   bool      // the delay may get twice as long

	kind census.Kind // of a message on its way to the workers, for the census
}

// route returns the way to the queue for now: a delay gets shorter with every
// try.
func (m *publication) route(n names) route {
	switch {
	case m.due.IsZero():
		return direct(m.name)
	case m.rough:
		return n.roughly(m.name, time.Until(m.due))
	}
	return n.exactly(m.name, time.Until(m.due))
}

// publish publishes a message until it is confirmed, on one session after the
// other and always under the same id, or until ctx ends.
func (b *Broker) publish(ctx context.Context, m *publication) error {
	a := sending{b: b, m: m}
	for {
		w, err := a.send(ctx)
		if err != nil {
			return err
		}
		v := a.judge(ctx, w)
		if v.done {
			return v.err
		}
		if !sleep(ctx, v.pause) {
			return v.late(ctx)
		}
		if v.forget {
			b.topology.forget()
		}
	}
}

// A sending is the state of a publication between its tries.
type sending struct {
	b         *Broker
	m         *publication
	link      *link    // of the last try
	session   *session // of the last try
	route     route    // of the last try
	sent      bool     // its outcome is unknown
	refused   int
	refusedAt time.Time // at first
	returned  bool
	declared  int // how often that has failed
}

// send tries until the message is sent.
func (a *sending) send(ctx context.Context) (pending, error) {
	for {
		s, err := a.nextSession(ctx)
		if err != nil {
			return pending{}, a.fail(err)
		}
		if err := a.b.fit(s, &a.m.message); err != nil {
			return pending{}, err
		}
		r := a.m.route(a.b.topology.names)
		if err := a.b.topology.ensure(ctx, s, a.m.class, a.m.queue, r.level); err != nil {
			if isPermanent(err) {
				return pending{}, a.fail(err)
			}
			if ctx.Err() != nil {
				return pending{}, a.fail(s.pub.why(err))
			}
			a.link.trouble.note(err)
			a.declared++
			if !sleep(ctx, backoff(a.declared)) {
				return pending{}, a.fail(fmt.Errorf("%w: %w", ctx.Err(), err))
			}
			continue
		}
		if err := s.pub.ready(ctx, len(a.m.message.Body)); err != nil {
			if ctx.Err() != nil {
				return pending{}, a.fail(err)
			}
			continue
		}
		w, err := s.pub.send(&a.m.message, r)
		if err != nil {
			s.End(err) // nextSession returns another
			continue
		}
		a.route = r
		return w, nil
	}
}

// fit makes a message one that the server takes, at the cost of its history of
// failures. Published as it is, one too large would close the channel.
func (b *Broker) fit(s *session, m *codec.Envelope) error {
	if limit := b.maxMessage.Load(); limit > 0 && int64(len(m.Body)) > limit {
		return fmt.Errorf("%w: %d bytes of arguments, this RabbitMQ takes %d (its max_message_size)", broker.ErrTooLarge, len(m.Body), limit)
	}
	if size, limit := m.Size(), s.MaxProperties(); size > limit && !m.Shorten(size-limit) {
		return fmt.Errorf("%w: %d bytes of headers and properties, this RabbitMQ takes %d (its frame_max)", broker.ErrTooLarge, size, limit)
	}
	return nil
}

// nextSession returns a session other than one that is over.
func (a *sending) nextSession(ctx context.Context) (*session, error) {
	l := a.b.linkFor(a.m)
	a.link = l
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if l == a.b.recording {
		if err := l.start(ctx); err != nil {
			return nil, err
		}
	}
	s, err := l.session(ctx)
	if err == nil && s == a.session && isClosed(s.Done()) {
		s, err = l.next(ctx, s)
	}
	a.session = s
	return s, err
}

// linkFor returns the link by which a message is published.
func (b *Broker) linkFor(m *publication) *link {
	switch m.class {
	case classResults, classJournal, classActs:
		return b.recording
	}
	return b.publishing
}
