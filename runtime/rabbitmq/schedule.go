package rabbitmq

import (
	"cmp"
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

// Every schedule has a queue of its own, with a single active consumer: the
// process that may tick. In the queue are tokens, the newest of which says when
// the schedule ticked last. They are never acknowledged before there is a newer
// one, so that whoever becomes active after the last one has died gets them.
//
// A tick is one publish that goes to the work queue and, by the header BCC
// (https://www.rabbitmq.com/docs/sender-selected), to the queue of the schedule: the task and
// the token that says so come into being together.
//
// The active process publishes on the channel on which it consumes. RabbitMQ
// takes the frames of a channel in order and makes the next consumer active
// when the channel has ended, so that no tick of the former process comes
// after the new one has begun to read. That it has read everything, it knows
// from a fence: a message that it has published itself after it became active.
// It keeps its fence, so that its successor has something to receive.

const (
	headerTick  = "dtask-tick"  // of a token: Unix milliseconds
	headerFence = "dtask-fence" // of a fence: its name

	// activeWait is how long LastTick waits for this process to become active.
	activeWait = 500 * time.Millisecond
)

var _ broker.TickStore = (*Broker)(nil)

// A tickChannel is the channel of a session through which schedules tick.
type tickChannel struct {
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
	tags   map[string]*post // by the tag of its consumer
}

// A post is this process at the queue of a schedule: waiting, or active.
type post struct {
	t        *tickChannel
	schedule string
	queue    string        // of RabbitMQ
	ready    chan struct{} // closed once everything was read
	ended    chan struct{} // closed when the consumer was cancelled

	ticking sync.Mutex // one tick at a time

	mu      sync.Mutex
	active  bool
	fence   string    // the name of the newest one
	keptTag uint64    // of a fence of this process
	newest  time.Time // tick
	tickTag uint64    // of its token
	renewed time.Time
}

// openTickChannel prepares a session for schedules.
func (b *Broker) openTickChannel(ctx context.Context, s *session) error {
	ch, err := s.Publisher(ctx, nil)
	if err != nil {
		return err
	}
	s.ticks = &tickChannel{
		ch: ch, log: b.log, session: s, renewAfter: b.config.consumerTimeout / 3,
		posts: make(map[string]*post), tags: make(map[string]*post),
	}
	go s.ticks.run()
	return nil
}

// run passes what arrives to the posts, until the channel ends.
func (t *tickChannel) run() {
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

func (t *tickChannel) post(tag string) *post {
	t.tagsMu.Lock()
	defer t.tagsMu.Unlock()
	return t.tags[tag]
}

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
	newest := p.newest
	p.mu.Unlock()
	if unixMilli(newest) != unixMilli(from) {
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
	if to.After(p.newest) {
		p.newest = time.UnixMilli(to.UnixMilli())
	}
	return true, nil
}

// tickMessage returns the message of a tick, which is also its token, and the
// queue to publish it to. What is to be there before it is there when it
// returns: the queue, and the record that the message is accepted.
func (b *Broker) tickMessage(ctx context.Context, p *post, tick time.Time, m *broker.Message) (queue string, message codec.Envelope, err error) {
	a, err := b.repeatableAdmission(m) // by the next process, if this one does not hear of its success
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

// token returns a message that records a tick.
func token(tick time.Time) codec.Envelope {
	var h wire.Builder
	h.Int(headerTick, tick.UnixMilli())
	return codec.Envelope{Properties: wire.Properties{DeliveryMode: wire.Persistent, Headers: h.Table()}}
}

// send publishes without waiting for the confirm.
func (t *tickChannel) send(queue string, m codec.Envelope) error {
	_, err := t.ch.Publish("", queue, &m.Properties, m.Body)
	return err
}

// publish publishes and waits for the confirm. After an error the session is
// over, and with it the right to tick: what became of the message is found out
// by who becomes active next.
func (t *tickChannel) publish(ctx context.Context, queue string, m codec.Envelope) error {
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
	t, queue := s.ticks, b.topology.schedule(schedule)
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
		err := p.take()
		if err != nil {
			p.end()
		}
		return struct{}{}, err
	}, nil)
	return p, err
}

// take begins to consume the queue of the schedule.
func (p *post) take() error {
	const unbounded = 0
	t, tag := p.t, rand.Text()
	t.tagsMu.Lock()
	t.tags[tag] = p
	t.tagsMu.Unlock()
	if err := t.ch.Consume(p.queue, tag, unbounded, ""); err != nil {
		return err
	}
	// In an empty queue nothing would tell an active consumer that it is one.
	return p.raise("hello")
}

// end notes that the post is lost.
func (p *post) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !isClosed(p.ended) {
		close(p.ended)
	}
}

// raise publishes a fence.
func (p *post) raise(name string) error {
	var h wire.Builder
	h.Text(headerFence, name)
	return p.t.send(p.queue, codec.Envelope{Properties: wire.Properties{DeliveryMode: wire.Persistent, Headers: h.Table()}})
}

// receive takes what is in the queue: this process is active.
func (p *post) receive(d *wire.Delivery) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.active {
		p.active, p.fence = true, rand.Text()
		if err := p.raise(p.fence); err != nil {
			return err
		}
	}
	outdated := d.Tag // the message to be removed
	if v, ok := d.Headers.Get(headerTick); ok {
		ms, _ := v.Int()
		if tick := time.UnixMilli(ms); !tick.Before(p.newest) {
			p.newest = tick
			outdated, p.tickTag = p.tickTag, d.Tag
		}
	} else if v, _ := d.Headers.Get(headerFence); v.Is(p.fence) {
		outdated, p.keptTag = p.keptTag, d.Tag
		p.renewed = time.Now()
		if !isClosed(p.ready) {
			close(p.ready)
			p.t.log.Debug("this process is the scheduler", "schedule", p.schedule)
		}
	}
	if outdated == 0 {
		return nil
	}
	return p.t.ch.Ack(outdated, false)
}

// renew replaces what is kept by copies, if it is old. p.mu is held.
func (p *post) renew() error {
	if time.Since(p.renewed) < p.t.renewAfter {
		return nil
	}
	p.renewed = time.Now()
	if !p.newest.IsZero() {
		if err := p.t.send(p.queue, token(p.newest)); err != nil {
			return err
		}
	}
	return p.raise(p.fence)
}
