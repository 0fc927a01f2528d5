package rabbitmq

import (
	"context"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/codec"
	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/wire"
)

// Every schedule has a queue of its own, with a single active consumer: the
// process that may tick. In the queue are tokens, the newest of which says when
// the schedule ticked last. A token is acknowledged only when there is a newer
// one, so that the next active process finds it.
//
// A tick is one message that goes to the work queue and, by the header BCC
// (https://www.rabbitmq.com/docs/sender-selected), to the queue of the schedule:
// it is the task and the token, and both are there or neither.
//
// The active process publishes on the channel on which it consumes. RabbitMQ
// takes the frames of a channel in order and makes the next consumer active
// when the channel has ended, so that no tick of the former process comes
// after the new one has begun to read. The new one publishes a fence when it has
// become active: when the fence comes back, it has read everything. It keeps its
// fence, so that its successor has something to receive.

const (
	headerTick  = "dtask-tick"  // of a token: Unix milliseconds
	headerFence = "dtask-fence" // of a fence: its name

	// activeWait is how long LastTick waits for this process to become active.
	activeWait = 500 * time.Millisecond
)

var _ broker.TickStore = (*Broker)(nil)

// LastTick implements [broker.TickStore]. The first call for a schedule makes
// this process one of those that wait to tick.
func (b *Broker) LastTick(ctx context.Context, schedule string) (time.Time, error) {
	p, err := b.postAt(ctx, schedule)
	if err != nil {
		return time.Time{}, err
	}
	wait := time.NewTimer(activeWait)
	defer wait.Stop()
	select {
	case <-p.ready:
		p.mu.Lock()
		defer p.mu.Unlock()
		return p.newest, p.renew()
	case <-wait.C:
		return time.Time{}, broker.ErrNotScheduler
	case <-p.ended:
		return time.Time{}, broker.ErrNotScheduler
	case <-ctx.Done():
		return time.Time{}, ctx.Err()
	}
}

// Tick implements [broker.TickStore]. Times are compared by the millisecond.
func (b *Broker) Tick(ctx context.Context, schedule string, from, to time.Time, m *broker.Message) (bool, error) {
	p, err := b.postAt(ctx, schedule)
	if err != nil {
		return false, err
	}
	p.ticking.Lock()
	defer p.ticking.Unlock()
	select {
	case <-p.ready:
	default:
		return false, broker.ErrNotScheduler
	}
	p.mu.Lock()
	isNewest := unixMilli(p.newest) == unixMilli(from)
	if isNewest && to.Before(p.newest) {
		p.newest = to // a reset: else its token would be taken for an outdated one
	}
	p.mu.Unlock()
	if !isNewest {
		return false, nil
	}
	key, message := p.queue, token(to)
	if m != nil {
		if key, message, err = b.tickMessage(ctx, p, to, m); err != nil {
			return false, err
		}
	}
	if err := p.t.session.awaitAccepting(ctx); err != nil {
		return false, err
	}
	if err := p.t.publish(ctx, key, message); err != nil {
		return false, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.newest = time.UnixMilli(to.UnixMilli())
	return true, nil
}

// tickMessage returns the message of a tick, which is its token as well, and the
// queue to publish it to. Before, it sees to what must be there first: that
// queue, and the record that the message is accepted.
func (b *Broker) tickMessage(ctx context.Context, p *post, tick time.Time, m *broker.Message) (queue string, message codec.Envelope, err error) {
	a, err := b.repeatableAdmission(m) // the next process repeats what this one hears nothing of
	if err != nil {
		return "", codec.Envelope{}, err
	}
	var h wire.Builder
	h.Int(headerTick, tick.UnixMilli())
	h.Texts("BCC", p.queue)
	message = a.message.message
	message.Headers += h.Table()
	if err := b.fit(p.t.session, &message); err != nil {
		return "", codec.Envelope{}, err
	}
	// With the token's queue the message always has somewhere to go: RabbitMQ
	// would not tell that the work queue was deleted.
	if err := b.topology.redeclare(ctx, p.t.session, a.message.class, m.Queue); err != nil {
		return "", codec.Envelope{}, err
	}
	if err := b.clerk.cover(ctx, a.message); err != nil {
		return "", codec.Envelope{}, err
	}
	if a.acceptance != nil {
		if err := b.publish(ctx, a.acceptance); err != nil {
			return "", codec.Envelope{}, err
		}
	}
	return a.message.name, message, nil
}

// unixMilli is t.UnixMilli, and 0 for the zero time.
func unixMilli(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// postAt returns the post of this process at a schedule, on one session after
// the other until it has one, or ctx ends.
func (b *Broker) postAt(ctx context.Context, schedule string) (*post, error) {
	if err := b.scheduling.start(ctx); err != nil {
		return nil, err
	}
	s, err := b.scheduling.session(ctx)
	for err == nil {
		var p *post
		if p, err = b.postOn(ctx, s, schedule); err == nil {
			return p, nil
		}
		if isPermanent(err) || ctx.Err() != nil {
			break
		}
		s.End(err) // next returns another
		s, err = b.scheduling.next(ctx, s)
	}
	return nil, err
}

// postOn returns the post at the queue of a schedule on s.
func (b *Broker) postOn(ctx context.Context, s *session, schedule string) (*post, error) {
	t, queue := s.schedules, b.topology.schedule(schedule)
	t.mu.Lock()
	defer t.mu.Unlock()
	if p := t.posts[queue]; p != nil && !isClosed(p.ended) {
		return p, nil
	}
	if err := b.topology.declare(ctx, s, func(ch *amqp.Channel) error {
		return declareQueue(ch, queue, amqp.Table{
			amqp.QueueTypeArg:            amqp.QueueTypeQuorum,
			amqp.SingleActiveConsumerArg: true,
			"x-delivery-limit":           int64(unlimited),
		})
	}); err != nil {
		return nil, err
	}
	p := &post{t: t, schedule: schedule, queue: queue, ready: make(chan struct{}), ended: make(chan struct{})}
	t.posts[queue] = p // before it is one: this call may be given up
	_, err := within(ctx, func() (struct{}, error) {
		err := p.join()
		if err != nil {
			p.end()
		}
		return struct{}{}, err
	}, nil)
	return p, err
}
