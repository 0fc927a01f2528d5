package rabbitmq

import (
	"context"
	"errors"
	"time"

	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/wire"
)

// replace goes on with another subscription. What the old one has delivered can
// still be settled.
func (c *consumer) replace(old, next *subscription) {
	for i := range old.sources {
		next.sources[i].fetched = append(old.sources[i].fetched, next.sources[i].fetched...)
		old.sources[i].fetched = nil
	}
	signal(c.recheck) // the old one may have heard of a pause meanwhile
	c.finishing.Go(func() {
		old.quiesce()
		c.finish(old)
	})
}

// finish closes a subscription that consumes no more, once all it has fetched
// is settled, or the consumer is closed.
func (c *consumer) finish(sub *subscription) error {
	idle := sub.acks.idle()
	second := time.NewTicker(time.Second)
	defer second.Stop()
	for waiting := true; waiting; {
		select {
		case now := <-second.C:
			sub.renew(now)
		case <-sub.ch.Arrived():
			sub.fetch() // copies, and what came too late
			sub.handBackFetched(0)
		case <-idle:
			waiting = false
		case <-c.closing:
			waiting = false
		case <-sub.ctx.Done(): // nothing can be settled any more
			waiting = false
		}
	}
	return sub.close(c.hurry)
}

// quiesce ends the consumption, and hands back what was fetched.
func (sub *subscription) quiesce() error {
	if sub.growing != nil {
		<-sub.growing
		sub.growing = nil
	}
	sub.active = false
	err := sub.cancel(sub.less(0))
	sub.handBackFetched(0)
	if sub.consumer.ctx.Err() != nil {
		sub.quietOnce.Do(func() { time.AfterFunc(handBackPause, func() { close(sub.quieted) }) })
	}
	return err
}

// handBackPause is how long a stopped consumer keeps what it hands back. Others
// may be stopped at the same time, and would get it in the moment in which they
// cancel.
const handBackPause = 100 * time.Millisecond

// awaitQuiet waits, if the consumer was stopped, until messages can be handed
// back.
func (sub *subscription) awaitQuiet() {
	if sub.consumer.ctx.Err() == nil {
		return
	}
	select {
	case <-sub.quieted:
	case <-sub.ctx.Done():
	case <-sub.consumer.hurry.Done():
	}
}

// quietWait is how long cancel waits for RabbitMQ to have nothing to send.
const quietWait = 2 * time.Second

// cancel cancels fetchers. What they have fetched stays fetched.
//
// With quorum queues a message can be on its way to the channel while its
// fetcher is cancelled; RabbitMQ then returns it to the queue, which counts as
// if its worker had died. So RabbitMQ is left without anything to send first:
// nothing is acknowledged until a fetcher has all that its prefetch allows, or
// its queue is empty. That leaves the message that is enqueued in the moment in
// between.
func (sub *subscription) cancel(fs []*fetcher) error {
	sub.acks.pause(true)
	defer sub.acks.pause(false)
	deadline := time.Now().Add(quietWait)
	for _, f := range fs {
		for time.Now().Before(deadline) && sub.acks.unacked(f) < f.prefetch {
			ready, err := sub.ch.Ready(sub.consumer.b.topology.queue(f.source.class, sub.consumer.queue))
			if err != nil {
				return err
			}
			sub.fetch() // what has come meanwhile
			if ready == 0 || !sleep(sub.ctx, time.Millisecond) {
				break
			}
		}
		if err := sub.ch.Cancel(f.tag); err != nil {
			return err
		}
	}
	sub.fetch()
	return nil
}

// handBackFetched hands back what was fetched and is not delivered, except for
// the first keep messages of each class.
func (sub *subscription) handBackFetched(keep int) {
	for i := range sub.sources {
		s := &sub.sources[i]
		for len(s.fetched) > keep {
			last := len(s.fetched) - 1
			d := s.fetched[last]
			s.fetched = s.fetched[:last]
			d.sub.giveBack(d)
		}
	}
}

// close ends the subscription in good order: it hands back what is not
// settled, and waits until everything settled is durable. hurry ends the waiting
// for what is to be published, which takes as long as an alarm; what was only
// acknowledged is made sure of even then.
func (sub *subscription) close(hurry context.Context) error {
	for _, d := range sub.acks.heldDeliveries() {
		sub.giveBack(d)
	}
	_, err := within(hurry, func() (struct{}, error) { sub.moving.Wait(); return struct{}{}, nil }, nil)
	ctx, cancel := context.WithCancel(context.WithoutCancel(hurry))
	defer cancel()
	defer context.AfterFunc(hurry, func() { time.AfterFunc(proveTime, cancel) })()
	_, proof := within(ctx, func() (struct{}, error) {
		sub.acks.flush(true)
		proof := sub.settleDown(ctx)
		if err == nil {
			sub.endRenewing(ctx)
		}
		sub.acks.close()
		return struct{}{}, errors.Join(proof, sub.ch.Close())
	}, nil)
	sub.abandon()
	sub.consumer.ledger.end(sub.acks, sub.acks.lost(proof == nil))
	return errors.Join(err, proof)
}

// ackGrace is how long a channel stays open after its last acknowledgement, and
// graceSteps in how many steps. In RabbitMQ the channel keeps acknowledgements
// to itself while more than 32 are on their way to a quorum queue
// (quorum_commands_soft_limit), and they die with it: what they acknowledged is
// delivered again. Nothing tells when the queue has them. A question about the
// queue takes the same way as they do, and on a busy machine as long.
const (
	ackGrace   = 120 * time.Millisecond
	graceSteps = 4
)

// settleDown waits until RabbitMQ's queues have the acknowledgements.
func (sub *subscription) settleDown(ctx context.Context) error {
	if sub.received == nil {
		return nil // there are none
	}
	var queues []string
	for _, c := range consumed {
		queues = append(queues, sub.consumer.b.topology.queue(c, sub.consumer.queue))
	}
	return settleDown(ctx, sub.ch, queues...)
}

// settleDown waits until the queues have what was acknowledged on the channel.
func settleDown(ctx context.Context, ch *wire.Channel, queues ...string) error {
	for range graceSteps {
		if !sleep(ctx, ackGrace/graceSteps) {
			return ctx.Err()
		}
		for _, q := range queues {
			if _, err := ch.Ready(q); err != nil {
				return err
			}
		}
	}
	return nil
}

// abandon ends the subscription at once. RabbitMQ delivers again what is not
// acknowledged.
func (sub *subscription) abandon() {
	sub.cancelCtx(wire.ErrClosed)
	sub.acks.close()
	go sub.ch.Close()
	sub.moving.Wait()
}
