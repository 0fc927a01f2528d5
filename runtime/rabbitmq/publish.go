package rabbitmq

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	dtask "github.com/dtaskhq/dtask/runtime"
)

const (
	// frameSize is RabbitMQ's own default. The headers of a message must fit
	// into one frame.
	frameSize = 128 << 10

	// window is how many messages are outstanding at most, published but not
	// confirmed; largeWindow is how many of them are large. Together they bound
	// the memory of an unresponsive connection.
	window      = 1000
	largeWindow = 16
	large       = 64 << 10 // bytes of body

	// confirmTimeout is how long a confirm may take, within a factor of 1.5,
	// before the connection is given up. It does not pass while the server is
	// blocked.
	confirmTimeout = 30 * time.Second

	// fullRetries is how often a message is published to a queue that refuses
	// it before the error is ErrQueueFull.
	fullRetries = 5
)

// A pubChannel is the channel of a session through which messages are
// published. Callers publish by themselves, and wait for their own confirms.
type pubChannel struct {
	ch      *amqp.Channel
	session *session
	window  chan struct{} // holds an element for each outstanding message
	large   chan struct{}

	mu       sync.Mutex
	returns  chan amqp.Return  // as they come
	returned map[returnKey]int // those taken from returns

	// blocked is the channel that is closed when the server accepts messages
	// again, or nil while it does.
	blocked atomic.Pointer[chan struct{}]

	// tick is the channel that is closed after half a confirmTimeout.
	tick atomic.Pointer[chan struct{}]
}

// A returnKey identifies a returned message as well as its return does.
type returnKey struct{ id, key string }

// openPubChannel prepares s for publishing.
func openPubChannel(ctx context.Context, s *session) error {
	ch, err := s.channel(ctx)
	if err != nil {
		return err
	}
	if err := ch.Confirm(false); err != nil {
		return err
	}
	p := &pubChannel{
		ch:      ch,
		session: s,
		window:  make(chan struct{}, window),
		large:   make(chan struct{}, largeWindow),
		// RabbitMQ returns a message before it confirms it, and the library
		// reads both in one goroutine. With room for all outstanding ones that
		// goroutine never waits, and a message that is confirmed and was
		// returned is in here.
		returns:  ch.NotifyReturn(make(chan amqp.Return, window)),
		returned: make(map[returnKey]int),
	}
	tick := make(chan struct{})
	p.tick.Store(&tick)
	blocking := s.conn.NotifyBlocked(make(chan amqp.Blocking, 8))
	closed := ch.NotifyClose(make(chan *amqp.Error, 1))
	go p.watch(blocking, closed)
	s.pub = p
	return nil
}

// watch follows the state of the connection until it ends.
func (p *pubChannel) watch(blocking <-chan amqp.Blocking, closed <-chan *amqp.Error) {
	half := time.NewTicker(confirmTimeout / 2)
	defer half.Stop()
	defer p.unblock()
	for {
		select {
		case b, ok := <-blocking:
			switch {
			case !ok:
				blocking = nil
			case b.Active && p.blocked.Load() == nil:
				slog.Warn("RabbitMQ accepts no messages for want of a resource; waiting", "reason", b.Reason)
				p.session.stream.bePatient(true)
				until := make(chan struct{})
				p.blocked.Store(&until)
			case !b.Active && p.blocked.Load() != nil:
				slog.Info("RabbitMQ accepts messages again")
				p.session.stream.bePatient(false)
				p.unblock()
			}
		case <-half.C:
			tick := make(chan struct{})
			close(*p.tick.Swap(&tick))
		case e := <-closed:
			// A channel without its connection is of no use: begin anew.
			p.session.end(fmt.Errorf("publishing: %w", reason(e)))
			return
		case <-p.session.closed:
			return
		}
	}
}

func (p *pubChannel) unblock() {
	if until := p.blocked.Swap(nil); until != nil {
		close(*until)
	}
}

// ready waits until the server accepts messages and there is room in the
// window, which it takes.
func (p *pubChannel) ready(ctx context.Context, size int) error {
	for {
		until := p.blocked.Load()
		if until == nil {
			break
		}
		select {
		case <-*until:
		case <-p.session.closed:
			return p.session.err
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", dtask.ErrBlocked, ctx.Err())
		}
	}
	if size > large {
		if err := p.take(ctx, p.large); err != nil {
			return err
		}
	}
	if err := p.take(ctx, p.window); err != nil {
		if size > large {
			<-p.large
		}
		return err
	}
	return nil
}

func (p *pubChannel) take(ctx context.Context, room chan struct{}) error {
	select {
	case room <- struct{}{}:
		return nil
	default:
	}
	select {
	case room <- struct{}{}:
		return nil
	case <-p.session.closed:
		return p.session.err
	case <-ctx.Done():
		if p.blocked.Load() != nil {
			return fmt.Errorf("%w: %w", dtask.ErrBlocked, ctx.Err())
		}
		return ctx.Err()
	}
}

// release gives back the room that ready took.
func (p *pubChannel) release(size int) {
	<-p.window
	if size > large {
		<-p.large
	}
}

// A pending is a message that was published and is not confirmed yet.
type pending struct {
	p       *pubChannel
	confirm *amqp.DeferredConfirmation
	key     returnKey
	size    int
}

// send publishes a message; ready must have been called for it.
func (p *pubChannel) send(m *amqp.Publishing, r route) (*pending, error) {
	m.Expiration = r.expiration
	confirm, err := p.ch.PublishWithDeferredConfirm(r.exchange, r.key, true, false, *m)
	if err != nil {
		p.release(len(m.Body))
		return nil, err
	}
	return &pending{p, confirm, returnKey{m.MessageId, r.key}, len(m.Body)}, nil
}

// An outcome is what became of a published message.
type outcome int

const (
	confirmed outcome = iota + 1 // durable
	unroutable
	refused // by the queue
	lost    // nobody knows
)

// wait waits for the outcome. It is lost when ctx ends first.
func (w *pending) wait(ctx context.Context) outcome {
	for ticks := 0; ; ticks++ {
		tick := *w.p.tick.Load()
		select {
		case <-w.confirm.Done():
			return w.resolve()
		case <-ctx.Done():
			go func() { // ends with the session at the latest
				<-w.confirm.Done()
				w.resolve()
			}()
			return lost
		case <-tick:
			if w.p.blocked.Load() != nil {
				ticks = 0
			}
			if ticks >= 2 {
				w.p.session.end(fmt.Errorf("no publisher confirm for %v", confirmTimeout))
			}
		}
	}
}

// resolve returns the outcome of a message whose confirm has arrived.
func (w *pending) resolve() outcome {
	w.p.release(w.size)
	if !w.confirm.Acked() {
		if w.p.ch.IsClosed() {
			return lost
		}
		return refused
	}
	if w.p.wasReturned(w.key) {
		return unroutable
	}
	return confirmed
}

// wasReturned reports whether the message with this key came back.
func (p *pubChannel) wasReturned(key returnKey) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		select {
		case r, ok := <-p.returns:
			if ok {
				p.returned[returnKey{r.MessageId, r.RoutingKey}]++
				continue
			}
		default:
		}
		break
	}
	switch p.returned[key] {
	case 0:
		return false
	case 1:
		delete(p.returned, key)
	default:
		p.returned[key]--
	}
	return true
}

// A publication is a message on its way to a queue.
type publication struct {
	message amqp.Publishing
	queue   string
	class   class
	route   func() route // for now: a delay gets shorter with every try
}

// publish publishes until the message is confirmed, on one session after the
// other, always under the same id, or until ctx ends.
func (b *Broker) publish(ctx context.Context, m *publication) error {
	return (&attempt{b: b, m: m}).run(ctx)
}

// run tries until the outcome is certain, or ctx ends.
func (a *attempt) run(ctx context.Context) error {
	for {
		w, err := a.send(ctx)
		if err != nil {
			return err
		}
		if done, err := a.judge(ctx, w); done {
			return err
		}
	}
}

// An attempt is the state of a publication between its tries.
type attempt struct {
	b        *Broker
	m        *publication
	session  *session // of the last try
	sent     bool     // its outcome is unknown
	refused  int
	returned bool
}

// send tries until the message is sent.
func (a *attempt) send(ctx context.Context) (*pending, error) {
	if err := a.m.message.Headers.Validate(); err != nil {
		return nil, err // of a foreign message: it would cost the connection
	}
	for {
		s, err := a.nextSession(ctx)
		if err != nil {
			return nil, a.fail(err)
		}
		if limit := a.b.maxMessage.Load(); limit > 0 && int64(len(a.m.message.Body)) > limit {
			return nil, fmt.Errorf("%w: %d bytes of arguments, this RabbitMQ takes %d (its max_message_size)", dtask.ErrTooLarge, len(a.m.message.Body), limit)
		}
		r := a.m.route()
		if err := a.b.topology.ensure(ctx, s, a.m.class, a.m.queue, r.level); err != nil {
			if isPermanent(err) {
				return nil, err
			}
			if ctx.Err() != nil {
				return nil, a.fail(err)
			}
			s.end(err) // nextSession returns another
			continue
		}
		if err := s.pub.ready(ctx, len(a.m.message.Body)); err != nil {
			if ctx.Err() != nil {
				return nil, a.fail(err)
			}
			continue
		}
		w, err := s.pub.send(&a.m.message, r)
		if err != nil {
			s.end(explain(err)) // nextSession returns another
			continue
		}
		return w, nil
	}
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
	if err == nil && s == a.session && isClosed(s.closed) {
		s, err = l.next(ctx, s)
	}
	a.session = s
	return s, err
}

// cancelGrace is how long a deleted queue stays so. If a quorum queue is
// declared again within some 50 ms, RabbitMQ 3.10 does not tell the consumers
// of the old one that it is gone, and sends them what they never receive.
const cancelGrace = 250 * time.Millisecond

// judge decides what the outcome of a try means. It reports whether that is
// the end of the publication.
func (a *attempt) judge(ctx context.Context, w *pending) (done bool, err error) {
	switch w.wait(ctx) {
	case confirmed:
		return true, nil
	case unroutable:
		// Somebody has deleted the queue. Declare it again, once.
		if a.returned {
			return true, fmt.Errorf("%w: %s", dtask.ErrUnroutable, a.m.queue)
		}
		a.returned = true
		if !sleep(ctx, cancelGrace) {
			return true, fmt.Errorf("%w: %s: %w", dtask.ErrUnroutable, a.m.queue, ctx.Err())
		}
		a.b.topology.forget()
	case refused:
		if a.refused++; a.refused > fullRetries {
			return true, fmt.Errorf("%w: RabbitMQ refuses messages for %s; see the max-length of its policy", dtask.ErrQueueFull, a.m.queue)
		}
		if !sleep(ctx, backoff(a.refused)) {
			return true, fmt.Errorf("%w: %w", dtask.ErrQueueFull, ctx.Err())
		}
	case lost:
		a.sent = true
		if ctx.Err() != nil {
			return true, a.fail(a.b.why(w.p, ctx.Err()))
		}
		select {
		case <-w.p.session.closed:
		case <-ctx.Done():
			return true, a.fail(ctx.Err())
		}
		if err := a.b.learn(w.p.session.err); err != nil {
			return true, err
		}
	}
	return false, nil
}

// why adds to the error of a context that the server is blocked, if it is.
func (b *Broker) why(p *pubChannel, err error) error {
	if p.blocked.Load() != nil {
		return fmt.Errorf("%w: %w", dtask.ErrBlocked, err)
	}
	return err
}

// fail returns the error of a publication that ends unconfirmed.
func (a *attempt) fail(err error) error {
	if a.sent {
		return fmt.Errorf("%w: %w", dtask.ErrUnknownOutcome, err)
	}
	return err
}

// tooLarge matches what RabbitMQ says of a message beyond its max_message_size.
var tooLarge = regexp.MustCompile(`message size (\d+) is larger than configured max size (\d+)`)

// learn draws conclusions from the end of a session. A message that is too
// large closes the channel, and all that is outstanding fails with it: it must
// not be published again. An error is one that no later session will mend.
func (b *Broker) learn(err error) error {
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
