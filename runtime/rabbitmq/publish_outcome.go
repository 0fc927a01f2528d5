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
	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/wire"
)

// A ruling says what is to happen after a try.
type ruling struct {
	done bool  // no other try is needed, or of use
	err  error // of the publication; if it is not done, of the last try

	// Before the next try: a pause, after which the topology is to be forgotten.
	pause  time.Duration
	forget bool
}

// late returns the error of a publication for whose next try there is no time.
func (v ruling) late(ctx context.Context) error { return fmt.Errorf("%w: %w", v.err, ctx.Err()) }

// judge waits for the outcome of a try and decides what is to happen.
func (a *sending) judge(ctx context.Context, w pending) ruling {
	return a.conclude(ctx, w, w.c.Wait(ctx))
}

// conclude decides what is to happen after an outcome. Its error says so if an
// earlier try may have succeeded.
func (a *sending) conclude(ctx context.Context, w pending, o wire.Outcome) ruling {
	v := a.decide(ctx, w, o)
	v.err = a.fail(v.err)
	return v
}

// decide is conclude of this try alone.
func (a *sending) decide(ctx context.Context, w pending, o wire.Outcome) ruling {
	switch o {
	case wire.Confirmed:
		w.p.trust(a.route.queue())
		return ruling{done: true}
	case wire.Unroutable:
		// Somebody has deleted the queue. Declare it again, once.
		err := fmt.Errorf("%w: %s", broker.ErrUnroutable, a.m.queue)
		if a.returned {
			return ruling{done: true, err: err}
		}
		a.returned = true
		return ruling{err: err, pause: cancelGrace, forget: true}
	case wire.Refused:
		return a.judgeRefusal(ctx)
	}
	a.sent = true
	if ctx.Err() == nil {
		select {
		case <-w.p.session.Done():
			err := a.b.learn(w.p.session.Err(), a.route)
			return ruling{done: err != nil, err: cmp.Or(err, broker.ErrUnknownOutcome)}
		case <-ctx.Done():
		}
	}
	return ruling{done: true, err: w.p.why(fmt.Errorf("no confirm from queue %s: %w", a.route.queue(), ctx.Err()))}
}

// fail returns the error of a publication that ends unconfirmed: it is unknown
// whether the message is enqueued if an earlier try was not answered.
func (a *sending) fail(err error) error {
	if a.link != nil {
		err = a.link.trouble.explain(err)
	}
	if err == nil || !a.sent || errors.Is(err, broker.ErrUnknownOutcome) {
		return err
	}
	return fmt.Errorf("%w: %w", broker.ErrUnknownOutcome, err)
}

// cancelGrace is how long a deleted queue stays so. If a quorum queue is
// declared again within some 50 ms, RabbitMQ 3.10 does not tell the consumers
// of the old one that it is gone, and sends them what they never receive.
const cancelGrace = 250 * time.Millisecond

// tooLarge matches what RabbitMQ says of a message beyond its max_message_size.
var tooLarge = regexp.MustCompile(`message size (\d+) is larger than configured max size (\d+)`)

// learn draws conclusions from the end of a session. A message that is too
// large closes the channel, and all that is outstanding fails with it: it must
// not be published again. learn returns an error if no later session will take
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
