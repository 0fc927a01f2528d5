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
		err:   fmt.Errorf("%w: RabbitMQ refuses messages for %s; see the max-length of its policy", broker.ErrQueueFull, a.m.queue),
		pause: backoff(min(a.refused, fullRetries)),
	}
	if a.refused == 1 {
		return v
	}
	if a.onNewChannel(ctx) == wire.Confirmed {
		a.session.pub.suspect(a.route.queue())
		return ruling{done: true}
	}
	n, err := within(ctx, func() (int, error) {
		n, _, err := queueLength(ctx, a.session, a.route.queue())
		return n, err
	}, nil)
	switch {
	case err != nil:
		v.err = err
	case n > 0:
		v.done = a.refused > fullRetries && a.b.newChannels.refusedSince(a.route.queue(), a.refusedAt)
	default: // RabbitMQ says so of a queue without a leader
		v.err = fmt.Errorf("RabbitMQ refuses messages for %s, which is empty; %s", a.m.queue, leaderless(a.route.queue()))
		last := a.b.warned.Load()
		if now := time.Now().Unix(); now-last >= int64(refusalWarning/time.Second) && a.b.warned.CompareAndSwap(last, now) {
			a.b.log.Warn("message cannot be published; trying again", "queue", a.m.queue, "id", a.m.message.MessageID, "err", v.err)
		}
	}
	return v
}

// onNewChannel publishes the message once more, on a channel that knows nothing
// of the past. Only one publication to a queue does so at a time; for the others the
// outcome stays Refused.
func (a *sending) onNewChannel(ctx context.Context) (o wire.Outcome) {
	done, ok := a.b.newChannels.begin(a.route.queue())
	if !ok {
		return wire.Refused
	}
	asked := false
	defer func() { done(asked && o == wire.Refused) }()
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
