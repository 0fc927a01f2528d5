package rabbitmq

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/codec"
	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/wire"
)

// What was delayed for a queue that was deleted meanwhile is lost: it is in a queue
// of the namespace from which all processes with consumers take. They declare its
// queue again, and move it there. Nothing is to hold up what is behind it, so where
// that fails the message is delayed once more.

const (
	// lostQueue is the queue that has the dead letters of messages whose routing
	// key names no queue at all.
	lostQueue = "lost"

	// lostPrefetch is how many lost messages a process has in its hands.
	lostPrefetch = 32

	// rescueTime is how long a process tries to move a message to its queue.
	rescueTime = 5 * time.Second

	// astrayDelay is the least delay of what could not be moved.
	astrayDelay = 4 * time.Second
)

// A rescue takes from the lost messages through one channel.
type rescue struct {
	b       *Broker
	session *session
	ch      *wire.Channel
	fates   *fates
	moving  sync.WaitGroup

	ctx    context.Context // ends when there is no time for what is being moved
	giveUp context.CancelFunc
}

// rescueWhile starts or ends the rescue of what is lost. b.mu is held.
func (b *Broker) rescueWhile(consuming bool) {
	switch {
	case consuming && b.stopRescue == nil:
		var ctx context.Context
		ctx, b.stopRescue = context.WithCancel(context.Background())
		b.rescuing.Go(func() { b.rescueLost(ctx) })
		b.rescuing.Go(func() { b.watchLevels(ctx, watchPeriod, watchSlack) })
	case !consuming && b.stopRescue != nil:
		b.stopRescue()
		b.stopRescue = nil
	}
}

// rescueLost rescues what is lost, on one session after the other, until ctx ends.
func (b *Broker) rescueLost(ctx context.Context) {
	var fates fates
	for attempt := 0; ; attempt++ {
		s, err := b.consuming.session(ctx)
		if err == nil {
			err = b.rescueOn(ctx, s, &fates)
		}
		if ctx.Err() != nil || errors.Is(err, broker.ErrClosed) {
			return
		}
		pause := backoff(attempt)
		if isPermanent(err) {
			pause = permanentBackoff
		}
		if !isClosed(s.Done()) {
			b.log.Warn("delayed messages that have found no queue cannot be looked after; trying again", "err", err)
		}
		if !sleep(ctx, pause) {
			return
		}
	}
}

// rescueOn rescues what is lost until ctx ends, or the channel.
func (b *Broker) rescueOn(ctx context.Context, s *session, fates *fates) error {
	if err := b.topology.declare(ctx, s, b.topology.declareArrival); err != nil {
		return err
	}
	ch, err := s.Channel(ctx)
	if err != nil {
		return err
	}
	r := &rescue{b: b, session: s, ch: ch, fates: fates}
	r.ctx, r.giveUp = context.WithCancel(context.Background())
	defer r.end()
	if err := ch.Consume(b.topology.lost(), "lost", lostPrefetch, ""); err != nil {
		return err
	}
	for {
		ds, err := ch.Wait(ctx)
		if err != nil {
			return err
		}
		for queue, ds := range r.sort(ds) {
			r.moving.Go(func() { r.move(queue, ds) })
		}
	}
}

// sort returns messages by their queues. It rejects those that have none.
func (r *rescue) sort(ds []*wire.Delivery) map[string][]*wire.Delivery {
	queues := make(map[string][]*wire.Delivery)
	for _, d := range ds {
		if strings.HasSuffix(d.Key, "."+r.b.topology.watch()) { // of a watch that is over
			r.ch.Ack(d.Tag, false)
			continue
		}
		_, queue, ok := r.b.topology.delayedFor(d.Key)
		if !ok || d.Discarded > 0 {
			r.b.log.Error("a delayed message names no queue, or is too large; RabbitMQ moves it to the dead letters of queue "+lostQueue, "id", d.MessageID, "key", d.Key)
			r.ch.Reject(d.Tag)
			r.fates.listed.Do(func() { r.b.topology.register(r.ctx, r.session, lostQueue) })
			continue
		}
		queues[queue] = append(queues[queue], d)
	}
	return queues
}

// move moves messages to their queue.
func (r *rescue) move(queue string, ds []*wire.Delivery) {
	ctx, cancel := context.WithTimeout(r.ctx, rescueTime)
	defer cancel()
	err := r.fates.failed(queue)
	if err == nil {
		// RabbitMQ may be about to tell that the queue was deleted.
		sleep(ctx, cancelGrace)
		err = r.b.topology.redeclare(ctx, r.session, classDue, queue)
	}
	var all sync.WaitGroup
	for _, d := range ds {
		all.Go(func() { r.moveOne(ctx, queue, d, err) })
	}
	all.Wait()
}

// moveOne moves a message to its queue, unless that has failed already, or delays it
// once more.
func (r *rescue) moveOne(ctx context.Context, queue string, d *wire.Delivery, err error) {
	c, _, _ := r.b.topology.delayedFor(d.Key)
	var h wire.Builder
	h.Int(codec.HeaderPriority, int64(c.priority(broker.PriorityDefault)))
	p := &publication{message: codec.Forward(d, h.Table()), queue: queue, class: classDue, name: r.b.topology.queue(classDue, queue)}
	if err == nil {
		err = r.b.publish(ctx, p)
	}
	if r.ctx.Err() != nil || r.over(err) {
		return
	}
	if r.fates.note(queue, err) {
		if err == nil {
			r.b.log.Warn("delayed messages have found no queue, which was deleted; it is declared again, and they are moved there", "queue", queue)
		} else {
			r.b.log.Error("delayed messages have found no queue, and it cannot be declared again; they are delayed once more", "queue", queue, "err", err)
		}
	}
	if err != nil {
		p.class, p.name, p.rough = classAstray, r.b.topology.queue(c, queue), true
		p.due = time.Now().Add(astrayDelay + rand.N(r.fates.spread(queue)))
		again, cancel := context.WithTimeout(r.ctx, rescueTime)
		defer cancel()
		if err := r.b.publish(again, p); err != nil {
			go r.ch.Close() // begin anew: it is delivered again
			return
		}
	}
	r.ch.Ack(d.Tag, false)
}

// over reports whether a move failed because a connection is lost. That is no trouble
// of the queue: RabbitMQ delivers the messages again, and if they were delayed once
// more they would be there twice.
func (r *rescue) over(err error) bool {
	if errors.Is(err, errNoConnection) {
		go r.ch.Close()
		return true
	}
	return err != nil && isClosed(r.session.Done())
}

// end waits for what is being moved, for a moment, and until RabbitMQ's queue has
// the acknowledgements.
func (r *rescue) end() {
	defer time.AfterFunc(giveUpTime, r.giveUp).Stop()
	defer r.giveUp()
	r.moving.Wait()
	within(r.ctx, func() (struct{}, error) {
		settleDown(r.ctx, r.ch, r.b.topology.lost())
		return struct{}{}, r.ch.Close()
	}, nil)
}
