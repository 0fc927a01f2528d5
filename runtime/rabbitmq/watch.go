package rabbitmq

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/wire"
)

// A level of delay can still stand still: while a queue that is to receive 32 of its
// messages has no leader. Nothing tells, for a client sees of a queue only what is
// ready in it. So one process of a namespace watches: it sends a probe through every
// level, and warns of one that does not let it pass. It is the process that has the
// queue where the probes arrive, which belongs to its connection.

const (
	// watchPeriod is how often probes are sent, and somebody else looks whether he
	// is to watch.
	watchPeriod = time.Minute

	// watchSlack is how much longer than the level lasts a probe may take.
	watchSlack = time.Minute

	// probeTime is how long a probe waits, if nothing is ahead of it.
	probeTime = time.Second
)

// A watch has the probes that are on their way.
type watch struct {
	b     *Broker
	slack time.Duration
	sent  [levels]time.Time // zero while none is on its way
	still [levels]bool      // and was said to stand still
}

// watchLevels watches the levels of delay until ctx ends, unless another process
// does.
func (b *Broker) watchLevels(ctx context.Context, period, slack time.Duration) {
	for sleep(ctx, period) {
		s, err := b.consuming.session(ctx)
		if err == nil {
			err = b.watchOn(ctx, s, period, slack)
		}
		if err != nil && ctx.Err() == nil && !errors.Is(err, broker.ErrClosed) && !isCode(err, amqp.ResourceLocked) && !isClosed(s.Done()) {
			b.log.Warn("the delays cannot be watched; trying again", "err", err)
		}
	}
}

// watchOn watches until ctx ends, or the channel. Its error is that the queue is
// locked if another process watches.
func (b *Broker) watchOn(ctx context.Context, s *session, period, slack time.Duration) error {
	name := b.topology.watch()
	if err := s.Declare(ctx, func(ch *amqp.Channel) error {
		const durable, autoDelete, exclusive = false, true, true
		if _, err := ch.QueueDeclare(name, durable, autoDelete, exclusive, false, nil); err != nil {
			return err
		}
		return ch.QueueBind(name, strings.Repeat("*.", levels)+name, b.topology.arrival(), false, nil)
	}); err != nil {
		return err
	}
	ch, err := s.Channel(ctx)
	if err != nil {
		return err
	}
	defer func() { go ch.Close() }()
	if err := ch.Consume(name, "watch", levels, ""); err != nil {
		return err
	}
	w := &watch{b: b, slack: slack}
	tick := time.NewTicker(period)
	defer tick.Stop()
	for {
		if err := w.probe(ctx, time.Now()); err != nil && ctx.Err() == nil {
			b.log.Debug("the delays cannot be probed; trying again", "err", err)
		}
		for waiting := true; waiting; {
			select {
			case <-ch.Arrived():
				ds, _ := ch.Take(nil)
				for _, d := range ds {
					w.arrived(d)
					ch.Ack(d.Tag, false)
				}
			case <-tick.C:
				waiting = false
			case <-ch.Done():
				return ch.Err()
			case <-ctx.Done():
				return nil
			}
		}
	}
}

// probe sends a probe through every level that has none, and warns of those where
// one is overdue.
func (w *watch) probe(ctx context.Context, now time.Time) error {
	t := w.b.topology
	s, err := w.b.publishing.session(ctx)
	if err != nil || s.Blocked() != nil {
		return err
	}
	ch, err := s.Publisher(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { go ch.Close() }()
	for i := range int(t.level.Load()) + 1 {
		if !w.sent[i].IsZero() {
			w.judge(i, now)
			continue
		}
		c, err := ch.Publish(t.names.level(i), delayKey(1<<i, t.watch()), &wire.Properties{
			MessageID:  strconv.Itoa(i),
			Expiration: strconv.FormatInt(probeTime.Milliseconds(), 10),
		}, nil)
		if err != nil {
			return err
		}
		if c.Wait(ctx) == wire.Confirmed {
			w.sent[i] = now
		}
	}
	return nil
}

// judge warns of a level whose probe is overdue.
func (w *watch) judge(level int, now time.Time) {
	if since := now.Sub(w.sent[level]); since > delayUnit<<level+w.slack {
		w.still[level] = true
		w.b.log.Warn("a level of delay stands still: what passes it, retries and delayed tasks of any queue, does not arrive; see with rabbitmq-queues quorum_status whether a queue of what is due has no leader; before RabbitMQ 3.12.5 a node that is gone may be the reason: start it again, or restart the node that leads the level",
			"level", w.b.topology.names.level(level), "queues", w.b.topology.queue(classDue, "*"), "for", since.Round(time.Second))
	}
}

// arrived notes that a probe has arrived.
func (w *watch) arrived(d *wire.Delivery) {
	level, err := strconv.Atoi(d.MessageID)
	if err != nil || level < 0 || level >= levels {
		return
	}
	w.sent[level] = time.Time{}
	if w.still[level] {
		w.still[level] = false
		w.b.log.Info("a level of delay moves again", "level", w.b.topology.names.level(level))
	}
}
