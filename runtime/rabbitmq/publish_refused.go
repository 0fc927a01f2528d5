package rabbitmq

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/wire"
)

const (
	// fullRetries is how often a message is published to a queue that is full
	// before the error is ErrQueueFull.
	fullRetries = 5

	// refusalWarning is how often it is logged that queues without a leader
	// refuse messages.
	refusalWarning = 10 * time.Second

	// slowRefusal is how long a queue takes that refuses for want of a leader, at
	// least if some of its members are there. One that is full refuses at once.
	slowRefusal = 2 * time.Second

	// leaderlessAfter is for how long messages are refused for want of a leader
	// before another host is asked: in a network partition it may know the leader.
	leaderlessAfter = 10 * time.Second
)

// errStale ends a session whose channel is refused what a new one is not.
var errStale = errors.New("the channel for publishing is refused what a new one is not")

// judgeRefusal decides what is to happen after a queue has refused a message. The
// queue may be full, or without a leader at present. Or it has a leader that the
// channel does not find, because it looked for it first when there was none; or it
// was full, and a channel that was refused then is refused for ever if the limit is
// taken away: in RabbitMQ 3.10 to 3.12 neither ends. So a queue is not said to be full
// before it has refused a message on a new channel.
func (a *sending) judgeRefusal(ctx context.Context) ruling {
	if a.refused++; a.refused == 1 {
		a.refusedAt = time.Now()
	}
	v := ruling{
		err:   fmt.Errorf("RabbitMQ refuses messages for %s, which is full or without a leader", a.m.queue),
		pause: backoff(min(a.refused, fullRetries)),
	}
	if a.refused == 1 {
		return v
	}
	asked := time.Now()
	if a.onNewChannel(ctx) == wire.Confirmed {
		a.session.pub.suspect(a.route.queue())
		return ruling{done: true}
	}
	slow := time.Since(asked) > slowRefusal
	n, err := within(ctx, func() (int, error) {
		n, _, err := queueLength(ctx, a.session, a.route.queue())
		return n, err
	}, nil)
	switch {
	case err != nil:
		v.err = err
	case n == 0 || slow: // RabbitMQ says that a queue is empty if it finds no leader
		v.err = a.leaderless()
	case a.b.newChannels.refusedSince(a.route.queue(), a.refusedAt):
		v.err = fmt.Errorf("%w: RabbitMQ refuses messages for %s; see the max-length of its policy", broker.ErrQueueFull, a.m.queue)
		v.done = a.refused > fullRetries
	}
	a.link.trouble.note(v.err)
	return v
}

// leaderless returns the error of a message whose queue seems to have no leader. If
// that lasts, another host is to be asked.
func (a *sending) leaderless() error {
	err := fmt.Errorf("RabbitMQ refuses messages for %s, for which it finds no leader; %s", a.m.queue, leaderless(a.route.queue()))
	last := a.b.warned.Load()
	if now := time.Now().Unix(); now-last >= int64(refusalWarning/time.Second) && a.b.warned.CompareAndSwap(last, now) {
		a.b.log.Warn("message cannot be published; trying again", "host", a.session.host, "queue", a.m.queue, "id", a.m.message.MessageID, "err", err)
	}
	if time.Since(a.refusedAt) > leaderlessAfter && a.link.hosts.better(a.session.host) {
		a.session.End(fmt.Errorf("%s does not find the leader of a queue: %w", a.session.host, err))
	}
	return err
}

// onNewChannel publishes the message once more, on a channel that knows nothing
// of the past. Only one publication to a queue does so at a time; for the others the
// outcome stays Refused.
func (a *sending) onNewChannel(ctx context.Context) (o wire.Outcome) {
	done, ok := a.b.newChannels.begin(a.route.queue())
	if !ok {
		return wire.Refused
	}
	start := time.Now()
	asked := false
	defer func() { done(asked && o == wire.Refused && time.Since(start) < slowRefusal) }()
	ch, err := a.session.Publisher(ctx, nil)
	if err != nil {
		return wire.Refused
	}
	defer ch.Close()
	a.route = a.m.route(a.b.topology.names)
	properties := a.m.message.Properties
	properties.Expiration = a.route.expiration
	c, err := ch.Publish(a.route.exchange, a.route.key, &properties, a.m.message.Body)
	if err != nil {
		return wire.Refused
	}
	asked = true
	o = c.Wait(ctx)
	a.sent = a.sent || o == wire.Lost
	return o
}

// leaderless says what to do about a queue that does not take messages.
func leaderless(queue string) string {
	return fmt.Sprintf("if this goes on, see with rabbitmq-queues quorum_status %s whether it has a leader", queue)
}
