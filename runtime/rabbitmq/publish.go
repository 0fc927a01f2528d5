package rabbitmq

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/codec"
	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/wire"
)

// A publication is a message on its way to a queue.
type publication struct {
	message codec.Envelope
	queue   string
	class   class
	name    string // of the queue of this class
	due     time.Time
	rough   bool // a delay may be as long again
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

// publish publishes until the message is confirmed, on one session after the
// other, always under the same id, or until ctx ends.
func (b *Broker) publish(ctx context.Context, m *publication) error {
	a := attempt{b: b, m: m}
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

// An attempt is the state of a publication between its tries.
type attempt struct {
	b        *Broker
	m        *publication
	session  *session // of the last try
	route    route    // of the last try
	sent     bool     // its outcome is unknown
	refused  int
	returned bool
	declared int // how often that has failed
}

// send tries until the message is sent.
func (a *attempt) send(ctx context.Context) (pending, error) {
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
func (a *attempt) nextSession(ctx context.Context) (*session, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	l := a.b.publishing
	if a.m.class == classResults {
		l = a.b.recording
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

// cancelGrace is how long a deleted queue stays so. If a quorum queue is
// declared again within some 50 ms, RabbitMQ 3.10 does not tell the consumers
// of the old one that it is gone, and sends them what they never receive.
const cancelGrace = 250 * time.Millisecond

// A verdict is what the outcome of a try means.
type verdict struct {
	done bool  // no other try is needed, or of use
	err  error // of the publication; if it is not done, of the last try

	// Before the next try: a pause, after which the topology is to be forgotten.
	pause  time.Duration
	forget bool
}

// late returns the error of a publication for whose next try there is no time.
func (v verdict) late(ctx context.Context) error { return fmt.Errorf("%w: %w", v.err, ctx.Err()) }

// judge waits for the outcome of a try and decides what it means.
func (a *attempt) judge(ctx context.Context, w pending) verdict {
	return a.conclude(ctx, w, w.c.Wait(ctx))
}

// conclude decides what an outcome means. That an earlier try may have succeeded
// is part of every error.
func (a *attempt) conclude(ctx context.Context, w pending, o wire.Outcome) verdict {
	v := a.decide(ctx, w, o)
	v.err = a.fail(v.err)
	return v
}

func (a *attempt) decide(ctx context.Context, w pending, o wire.Outcome) verdict {
	switch o {
	case wire.Confirmed:
		w.p.trust(a.route.queue())
		return verdict{done: true}
	case wire.Unroutable:
		// Somebody has deleted the queue. Declare it again, once.
		err := fmt.Errorf("%w: %s", broker.ErrUnroutable, a.m.queue)
		if a.returned {
			return verdict{done: true, err: err}
		}
		a.returned = true
		return verdict{err: err, pause: cancelGrace, forget: true}
	case wire.Refused:
		return a.judgeRefusal(ctx)
	}
	a.sent = true
	if ctx.Err() == nil {
		select {
		case <-w.p.session.Done():
			err := a.b.learn(w.p.session.Err(), a.route)
			return verdict{done: err != nil, err: cmp.Or(err, broker.ErrUnknownOutcome)}
		case <-ctx.Done():
		}
	}
	return verdict{done: true, err: w.p.why(fmt.Errorf("no confirm from queue %s: %w", a.route.queue(), ctx.Err()))}
}

// fail returns the error of a publication that ends unconfirmed.
func (a *attempt) fail(err error) error {
	if err == nil || !a.sent || errors.Is(err, broker.ErrUnknownOutcome) {
		return err
	}
	return fmt.Errorf("%w: %w", broker.ErrUnknownOutcome, err)
}

// tooLarge matches what RabbitMQ says of a message beyond its max_message_size.
var tooLarge = regexp.MustCompile(`message size (\d+) is larger than configured max size (\d+)`)

// learn draws conclusions from the end of a session. A message that is too
// large closes the channel, and all that is outstanding fails with it: it must
// not be published again. An error is one that no later session will mend for
// what was published by the route.
func (b *Broker) learn(err error, r route) error {
	var e *amqp.Error
	if !errors.As(err, &e) {
		return nil
	}
	switch e.Code {
	case amqp.PreconditionFailed:
		if m := tooLarge.FindStringSubmatch(e.Reason); m != nil {
			if limit, err := strconv.ParseInt(m[2], 10, 64); err == nil {
				b.maxMessage.Store(limit)
			}
		}
	case amqp.NotFound:
		b.topology.forget()
	case amqp.AccessRefused:
		if exchange := cmp.Or(r.exchange, "amq.default"); !strings.Contains(e.Reason, "'"+exchange+"'") {
			return nil // another one was refused
		}
		return permanent(fmt.Errorf("the user lacks a permission; grant it write for all of the namespace %s and for amq.default (%s)", b.config.namespace, e.Reason))
	}
	return nil
}

func isClosed(ch <-chan struct{}) bool {
	select {
	case <-ch:
		return true
	default:
		return false
	}
}
