package rabbitmq

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/dtaskhq/dtask/runtime/dtask"
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
)

// A pubChannel is the channel of a session through which messages are
// published. Callers publish by themselves, and wait for their own confirms.
type pubChannel struct {
	ch      *channel
	session *session
	window  chan struct{} // holds an element for each outstanding message
	large   chan struct{}

	// blocked is the channel that is closed when the server accepts messages
	// again, or nil while it does.
	blocked atomic.Pointer[chan struct{}]

	// suspected is the queue whose leader the channel seems not to find, or nil.
	suspected atomic.Pointer[string]
}

// openPubChannel prepares s for publishing.
func openPubChannel(ctx context.Context, s *session) error {
	ch, err := openConfirming(ctx, s)
	if err != nil {
		return err
	}
	p := &pubChannel{
		ch:      ch,
		session: s,
		window:  make(chan struct{}, window),
		large:   make(chan struct{}, largeWindow),
	}
	ch.onConfirm = p.release
	go p.watch(s.conn.NotifyBlocked(make(chan amqp.Blocking, 8)))
	s.pub = p
	return nil
}

// watch follows the state of the connection until it ends.
func (p *pubChannel) watch(blocking <-chan amqp.Blocking) {
	tick := time.NewTicker(confirmTimeout / 2)
	defer tick.Stop()
	defer p.unblock()
	var oldest uint64 // unconfirmed at the last tick
	ticks := 0        // that it was there
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
		case <-tick.C:
			now, queue := p.ch.oldest()
			if p.blocked.Load() != nil {
				now = 0 // its time begins when the server goes on
			}
			if now != oldest || now == 0 {
				oldest, ticks = now, 0
			} else if ticks++; ticks >= 2 {
				p.session.end(fmt.Errorf("no publisher confirm for %v; %s", confirmTimeout, leaderless(queue)))
			}
		case <-p.ch.closed:
			// A channel without its connection is of no use: begin anew.
			p.session.end(fmt.Errorf("publishing: %w", p.ch.err))
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
		return p.why(ctx.Err())
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
	p *pubChannel
	c *confirmation
}

// send publishes a message; ready must have been called for it.
func (p *pubChannel) send(m *envelope, r route) (pending, error) {
	properties := m.Properties
	properties.Expiration = r.expiration
	c, err := p.ch.publish(r.exchange, r.key, &properties, m.body)
	if err != nil {
		p.release(len(m.body))
	}
	return pending{p, c}, err
}

// wait waits for the outcome. It is lost when ctx ends first.
func (w pending) wait(ctx context.Context) outcome {
	select {
	case o := <-w.c.done:
		w.c.free()
		return o
	case <-ctx.Done():
		return lost
	}
}

// suspect notes that a queue took from a new channel what it had refused from
// this one. It may have been full. If that happens again, and the queue has
// taken nothing from this channel in between, the session is ended.
func (p *pubChannel) suspect(queue string) {
	if last := p.suspected.Swap(&queue); last != nil && *last == queue {
		p.session.end(fmt.Errorf("%w of queue %s", errStale, queue))
	}
}

// trust notes that a queue has taken a message.
func (p *pubChannel) trust(queue string) {
	if last := p.suspected.Load(); last != nil && *last == queue {
		p.suspected.CompareAndSwap(last, nil)
	}
}

// why adds to the error of a context that the server is blocked, if it is.
func (p *pubChannel) why(err error) error {
	if p.blocked.Load() != nil {
		return fmt.Errorf("%w: %w", dtask.ErrBlocked, err)
	}
	return err
}
