package rabbitmq

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/codec"
	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/wire"
)

const (
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

// A publisher is the channel of a session through which messages are published.
// Every caller writes its own messages, and waits for their confirms.
type publisher struct {
	ch      *wire.Channel
	session *session
	window  chan struct{} // holds an element for each outstanding message
	large   chan struct{}

	suspected  sync.Map    // queues that the channel may be wrong about → struct{}
	suspecting atomic.Bool // there were any
}

// openPublisher prepares s for publishing.
func openPublisher(ctx context.Context, s *session) error {
	p := &publisher{
		session: s,
		window:  make(chan struct{}, window),
		large:   make(chan struct{}, largeWindow),
	}
	var err error
	if p.ch, err = s.Publisher(ctx, p.release); err != nil {
		return err
	}
	go p.watch()
	s.pub = p
	return nil
}

// watch ends the session when a confirm takes too long, or with the channel.
func (p *publisher) watch() {
	tick := time.NewTicker(confirmTimeout / 2)
	defer tick.Stop()
	var oldest uint64 // unconfirmed at the last tick
	ticks := 0        // that it was there
	for {
		select {
		case <-tick.C:
			now, queue := p.ch.Oldest()
			if p.session.Blocked() != nil {
				now = 0 // its time begins when the server goes on
			}
			if now != oldest || now == 0 {
				oldest, ticks = now, 0
			} else if ticks++; ticks >= 2 {
				p.session.End(fmt.Errorf("no publisher confirm for %v; %s", confirmTimeout, leaderless(queue)))
			}
		case <-p.ch.Done():
			// A channel without its connection is of no use: begin anew.
			p.session.End(fmt.Errorf("publishing: %w", p.ch.Err()))
			return
		}
	}
}

// ready waits until the server accepts messages and there is room in the
// window, which it takes.
func (p *publisher) ready(ctx context.Context, size int) error {
	if err := p.session.awaitAccepting(ctx); err != nil {
		return err
	}
	if size > large {
		if err := p.reserve(ctx, p.large); err != nil {
			return err
		}
	}
	if err := p.reserve(ctx, p.window); err != nil {
		if size > large {
			<-p.large
		}
		return err
	}
	return nil
}

// reserve takes room for one message.
func (p *publisher) reserve(ctx context.Context, room chan struct{}) error {
	select {
	case room <- struct{}{}:
		return nil
	default:
	}
	select {
	case room <- struct{}{}:
		return nil
	case <-p.session.Done():
		return p.session.Err()
	case <-ctx.Done():
		return p.why(ctx.Err())
	}
}

// release gives back the room that ready took.
func (p *publisher) release(size int) {
	<-p.window
	if size > large {
		<-p.large
	}
}

// A pending is a message that was published and is not confirmed yet.
type pending struct {
	p *publisher
	c *wire.Confirmation
}

// send publishes a message; ready must have been called for it.
func (p *publisher) send(m *codec.Envelope, r route) (pending, error) {
	properties := m.Properties
	properties.Expiration = r.expiration
	c, err := p.ch.Publish(r.exchange, r.key, &properties, m.Body)
	if err != nil {
		p.release(len(m.Body))
	}
	return pending{p, c}, err
}

// suspect notes that a queue took from a new channel what it had refused from
// this one. It may have been full. If that happens again, and the queue has
// taken nothing from this channel in between, the session is ended.
func (p *publisher) suspect(queue string) {
	p.suspecting.Store(true)
	if _, again := p.suspected.LoadOrStore(queue, struct{}{}); again {
		p.session.End(fmt.Errorf("%w of queue %s", errStale, queue))
	}
}

// trust notes that a queue has taken a message.
func (p *publisher) trust(queue string) {
	if p.suspecting.Load() {
		p.suspected.Delete(queue)
	}
}

// why adds to the error of a context that the server is blocked, if it is.
func (p *publisher) why(err error) error {
	if p.session.Blocked() != nil {
		return fmt.Errorf("%w: %w", broker.ErrBlocked, err)
	}
	return err
}
