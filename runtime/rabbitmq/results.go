package rabbitmq

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/codec"
	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/results"
)

// Records of results are published on a connection that no messages use, and read on
// another: trouble with their stream is to concern nobody who keeps nothing.

// record returns a record on its way to the stream.
func (b *Broker) record(e codec.Envelope) *publication {
	stream := b.topology.results()
	return &publication{message: e, queue: stream, class: classResults, name: stream}
}

// acceptance returns the record that m is on its way, or nil if its result is
// not kept. An empty nonce stands for a new one.
func (b *Broker) acceptance(m *broker.Message, nonce string) *publication {
	if m.Keep == 0 {
		return nil
	}
	return b.record(results.Accepted(m, cmp.Or(nonce, rand.Text())))
}

// ensureResults declares the stream, unless that was done before.
func (t *topology) ensureResults(ctx context.Context, s *session) error {
	return t.ensureAlone(ctx, s, t.results(), results.Arguments())
}

// replicaPatience is for how long a wait goes on at a node that has no replica of the
// stream. It may have none at all, but also while the cluster overcomes the loss of
// another node.
const replicaPatience = time.Minute

// Result implements [broker.ResultStore]. For a message that was purged, or that
// RabbitMQ itself has moved to the dead letters, it waits until ctx ends.
func (b *Broker) Result(ctx context.Context, id string) (broker.Result, error) {
	r, err := b.awaitResult(ctx, id)
	return r, b.waiting.trouble.explain(err)
}

func (b *Broker) awaitResult(ctx context.Context, id string) (broker.Result, error) {
	if err := b.waiting.start(ctx); err != nil {
		return broker.Result{}, err
	}
	var refusedSince time.Time
	for attempt := 0; ; attempt++ {
		s, err := b.waiting.session(ctx)
		if err != nil {
			return broker.Result{}, err
		}
		r, err := b.resultOn(ctx, s, id)
		switch {
		case !isCode(err, amqp.PreconditionFailed):
			refusedSince = time.Time{}
		case refusedSince.IsZero():
			refusedSince = time.Now()
		}
		refused := !refusedSince.IsZero() && time.Since(refusedSince) > replicaPatience
		if err == nil || ctx.Err() != nil || refused || !worthRepeating(err) {
			return r, err
		}
		// The connection is lost, or the stream was deleted: read again.
		b.waiting.trouble.note(err)
		b.topology.known.Delete(b.topology.results())
		if !sleep(ctx, backoff(min(attempt, 3))) {
			return broker.Result{}, fmt.Errorf("%w: %w", ctx.Err(), err)
		}
	}
}

func (b *Broker) resultOn(ctx context.Context, s *session, id string) (broker.Result, error) {
	if err := b.topology.ensureResults(ctx, s); err != nil {
		return broker.Result{}, err
	}
	return b.results.Wait(ctx, s.Conn, id)
}

// worthRepeating reports whether a wait that failed may succeed on the next
// connection.
func worthRepeating(err error) bool {
	return !errors.Is(err, broker.ErrNoResult) && !errors.Is(err, broker.ErrClosed) && !isPermanent(err) &&
		!isCode(err, amqp.AccessRefused)
}
