package rabbitmq

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	dtask "github.com/dtaskhq/dtask/runtime"
	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/frame"
)

// A subscription consumes all classes of a queue through one channel. It ends
// with the channel, and its deliveries with it.
type subscription struct {
	consumer  *consumer
	session   *session
	ch        *channel
	acks      *acker
	sources   [len(consumed)]source
	consumers map[string]*prefetching // by tag, also those cancelled
	tags      int                     // how many were used
	active    bool                    // not paused
	growing   chan error              // if not nil: consumers are being started; receives once
	received  []*incoming             // reused
	renewal   renewal
	starting  sync.Mutex

	ctx       context.Context // ends with the channel
	cancelCtx context.CancelCauseFunc

	moving sync.WaitGroup // messages that are being published again

	// quieted is closed when the consumer was stopped and a while has passed.
	quieted   chan struct{}
	quietOnce sync.Once
}

// subscribe declares the queue and begins to consume it on s, unless it is
// paused.
func subscribe(ctx context.Context, c *consumer, s *session) (*subscription, error) {
	if err := c.b.topology.ensureConsumed(ctx, s, c.queue); err != nil {
		return nil, err
	}
	prefetch := c.pace.prefetch
	return within(ctx, func() (*subscription, error) { return openSubscription(c, s, prefetch) }, (*subscription).abandon)
}

// openSubscription begins to consume a queue on s, unless it is paused.
func openSubscription(c *consumer, s *session, prefetch int) (*subscription, error) {
	ch, err := openChannel(s)
	if err != nil {
		return nil, err
	}
	sub := &subscription{
		consumer:  c,
		session:   s,
		ch:        ch,
		acks:      newAcker(ch),
		consumers: make(map[string]*prefetching),
		quieted:   make(chan struct{}),
	}
	sub.ctx, sub.cancelCtx = context.WithCancelCause(context.Background())
	for i, class := range consumed {
		sub.sources[i].class = class
	}
	go func() {
		<-ch.closed
		sub.cancelCtx(fmt.Errorf("channel: %w", ch.err))
	}()
	if err := sub.pauseOrResume(prefetch); err != nil {
		sub.abandon()
		return nil, err
	}
	return sub, nil
}

// pauseOrResume starts or stops the consumption as the queue is paused or not.
func (sub *subscription) pauseOrResume(prefetch int) error {
	c := sub.consumer
	paused, err := queueExists(sub.session.conn, c.b.topology.paused(c.queue))
	if err != nil {
		return err
	}
	if paused == !sub.active {
		return nil
	}
	sub.active = !paused
	if paused {
		slog.Info("queue paused", "queue", c.queue)
		return sub.quiesce()
	}
	sub.acks.expect(prefetch)
	return sub.begin(sub.more(prefetch))
}

// adapt makes the prefetch what the pace of the tasks asks for. More of it comes
// in the background: RabbitMQ takes its time to start a consumer.
func (sub *subscription) adapt(prefetch int) error {
	sub.acks.expect(prefetch)
	if added := sub.more(prefetch); added != nil {
		growing := make(chan error, 1)
		sub.growing = growing
		go func() { growing <- sub.begin(added) }()
		return nil
	}
	err := sub.cancel(sub.less(prefetch))
	sub.handBackFetched(prefetch)
	return err
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

// handBackPause is how long a message waits that a stopped consumer hands back:
// for others that are being stopped at the same time. It would come to them in
// the moment in which they cancel.
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

// cancel cancels consumers. What they have fetched stays fetched.
//
// With quorum queues a message can be on its way to the channel while its
// consumer is cancelled; RabbitMQ then returns it to the queue, which counts as
// if its worker had died. So RabbitMQ is left without anything to send first:
// nothing is acknowledged until a consumer has all that its prefetch allows, or
// its queue is empty. That leaves the message that is enqueued in the moment in
// between.
func (sub *subscription) cancel(cs []*prefetching) error {
	sub.acks.pause(true)
	defer sub.acks.pause(false)
	deadline := time.Now().Add(quietWait)
	for _, c := range cs {
		for time.Now().Before(deadline) && sub.acks.unacked(c) < c.prefetch {
			ready, err := sub.ch.inspect(sub.consumer.b.topology.queue(c.source.class, sub.consumer.queue))
			if err != nil {
				return err
			}
			sub.fetch() // what has come meanwhile
			if ready == 0 || !sleep(sub.ctx, time.Millisecond) {
				break
			}
		}
		if err := sub.ch.cancel(c.tag); err != nil {
			return err
		}
	}
	sub.fetch()
	return nil
}

// accept returns a received message as a delivery, or nil if it is not for the
// worker: it is moved then.
//
// What a message that kills its worker costs is decided here. Every death
// counts as an attempt, but RabbitMQ counts it for all messages that the
// worker had fetched, most of which were not even running. So a message whose
// attempts have run out by deaths gets another chance in quarantine, a queue
// of which a worker has one message at a time; a death there, too, may be
// another's fault, the second one no more.
func (sub *subscription) accept(from *prefetching, raw *incoming, now time.Time) *delivery {
	d := &delivery{sub: sub, from: from, raw: raw, since: now}
	from.received++
	move := sub.judge(d)
	d.attempt = d.message.Attempt
	if move != nil {
		sub.acks.add(d, taken)
		move()
		return nil
	}
	sub.acks.add(d, held)
	return d
}

// judge decodes a message and returns how it is to be moved if it is not for
// the worker.
func (sub *subscription) judge(d *delivery) (move func()) {
	var err error
	c := d.from.source.class
	d.message, err = decode(d.raw, c, sub.consumer.queue)
	m, deaths := &d.message, deliveryCount(d.raw)
	d.receipt = receipt{m.ID, m.Attempt, m.EnqueuedAt.UnixMilli()}
	switch {
	case err != nil:
		slog.Error("message is malformed; moved to the dead letters", "queue", m.Queue, "id", m.ID, "task", m.Task, "err", err)
		return func() { sub.bury(d, "the message is malformed: "+err.Error()) }
	case deaths > 0 && sub.consumer.executed.has(d.receipt):
		slog.Debug("delivered again after a lost connection; was executed", "queue", m.Queue, "id", m.ID, "task", m.Task)
		return func() { sub.acks.settle(d) }
	case c == classQuarantine:
		// It may be this worker that has moved it here, and not acknowledged
		// the original yet. If it killed the worker now there would be two of it.
		if !sub.consumer.quarantining.await(m.ID, sub.ctx.Done(), sub.consumer.closing) {
			return func() {} // it stays unacknowledged
		}
		m.Attempt += max(0, deaths-1)
	case deaths > 0:
		if m.Attempt += deaths; m.Attempt >= m.Attempts {
			return func() { sub.quarantine(d) }
		}
	}
	if !m.NotBefore.IsZero() && time.Until(m.NotBefore) > 0 { // beyond the longest delay, or by another clock
		return func() { sub.requeue(d, false) }
	}
	return nil
}

// quarantine moves a message to the quarantine of its queue.
func (sub *subscription) quarantine(d *delivery) {
	var h frame.Builder
	h.Int(headerAttempt, int64(d.message.Attempts))
	p := sub.publicationTo(classQuarantine, forward(d.raw, h.Table()))
	moved := sub.consumer.quarantining.begin(d.message.ID)
	sub.moving.Go(func() {
		defer moved()
		if sub.store(d, p) {
			sub.acks.settle(d)
			sub.acks.flush(true)
			// The answer says that RabbitMQ has the acknowledgement. Else it could
			// die with this process, which the message is about to kill.
			sub.ch.inspect(p.name)
		}
	})
}

// bury moves a message as it is to the dead letters, with a reason.
func (sub *subscription) bury(d *delivery, reason string) {
	fs := append(d.message.Failures, dtask.Failure{Attempt: d.message.Attempt, At: time.Now(), Error: reason})
	var h frame.Builder
	h.Text(headerFailures, encodeFailures(fs))
	sub.moveDead(d, forward(d.raw, h.Table()), fs)
}

// handBack returns a message to the queue it came from, as it came, except for
// the deaths that RabbitMQ has counted: publishing anew resets them. A negative
// acknowledgement would do with one frame, but RabbitMQ before 4.3 counts it
// like a death.
func (sub *subscription) handBack(d *delivery) {
	var h frame.Builder
	h.Int(headerAttempt, int64(d.attempt))
	sub.move(d, sub.publicationTo(d.from.source.class, forward(d.raw, h.Table())))
}

// requeue stores a message as the worker has left it.
// Its delay may be rough.
func (sub *subscription) requeue(d *delivery, rough bool) {
	p, err := sub.consumer.b.publication(&d.message)
	if err != nil {
		sub.bury(d, "the message cannot be stored: "+err.Error())
		return
	}
	p.rough = rough
	sub.move(d, p)
}

// buryChanged moves a message to the dead letters as the worker has left it.
func (sub *subscription) buryChanged(d *delivery) {
	p, err := encode(&d.message)
	if err != nil {
		sub.bury(d, "the message cannot be stored: "+err.Error())
		return
	}
	sub.moveDead(d, p, d.message.Failures)
}

// moveDead moves a message to the dead letters in the given form, and records
// that if its outcome is to be kept.
func (sub *subscription) moveDead(d *delivery, p envelope, failures []dtask.Failure) {
	ps := []*publication{sub.publicationTo(classDead, p)}
	if d.message.Keep > 0 {
		ps = append(ps, sub.consumer.b.deadRecord(&d.message, failures))
	}
	sub.move(d, ps...)
}

func (sub *subscription) publicationTo(c class, m envelope) *publication {
	q := sub.consumer.queue
	return &publication{message: m, queue: q, class: c, name: sub.consumer.b.topology.queue(c, q)}
}

// move publishes what is to take the place of a delivery, and acknowledges it
// once that is confirmed. In between a fault can double it, but not lose it.
func (sub *subscription) move(d *delivery, ps ...*publication) {
	sub.moving.Go(func() {
		sub.awaitQuiet()
		for _, p := range ps {
			if !sub.store(d, p) {
				return
			}
		}
		sub.acks.settle(d)
	})
}

// store publishes until that is confirmed. It returns false if that cannot be:
// RabbitMQ delivers the message again, or has it moved to the dead letters.
func (sub *subscription) store(d *delivery, p *publication) bool {
	for attempt := 0; ; attempt++ {
		err := sub.consumer.b.publish(sub.ctx, p)
		switch {
		case err == nil:
			return true
		case sub.ctx.Err() != nil:
			return false
		case errors.Is(err, dtask.ErrTooLarge):
			slog.Error("message cannot be published again; RabbitMQ moves it to the dead letters as it is",
				"queue", sub.consumer.queue, "id", p.message.MessageID, "err", err)
			sub.acks.reject(d)
			return false
		}
		slog.Error("message cannot be published; trying on", "queue", sub.consumer.queue, "id", p.message.MessageID, "err", err)
		if !sleep(sub.ctx, backoff(attempt)) {
			return false
		}
	}
}

// fetch takes the messages that have arrived.
func (sub *subscription) fetch() {
	sub.received = sub.ch.take(sub.received)
	now := time.Now()
	for _, raw := range sub.received {
		if raw.consumer == renewTag {
			sub.renewed(raw)
			continue
		}
		from := sub.consumers[raw.consumer]
		if from == nil {
			sub.session.end(fmt.Errorf("RabbitMQ delivers to a consumer %q that does not exist", raw.consumer))
			return
		}
		if d := sub.accept(from, raw, now); d != nil {
			from.source.fetched = append(from.source.fetched, d)
		}
	}
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

// giveBack hands a delivery back, unless it is settled or given up.
func (sub *subscription) giveBack(d *delivery) { sub.acks.take(d, func() { sub.handBack(d) }) }

// close ends the subscription in good order: it hands back what is not
// settled, and waits until everything settled is durable. hurry ends the
// waiting.
func (sub *subscription) close(hurry context.Context) error {
	for _, d := range sub.acks.heldDeliveries() {
		sub.giveBack(d)
	}
	_, err := within(hurry, func() (struct{}, error) {
		sub.moving.Wait()
		sub.acks.flush(true)
		sub.settleDown(hurry)
		sub.endRenewing(hurry)
		sub.acks.close()
		return struct{}{}, sub.ch.close()
	}, nil)
	sub.abandon()
	return err
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
func (sub *subscription) settleDown(ctx context.Context) {
	if sub.received == nil {
		return // there are none
	}
	for range graceSteps {
		if !sleep(ctx, ackGrace/graceSteps) {
			return
		}
		for _, c := range consumed {
			name := sub.consumer.b.topology.queue(c, sub.consumer.queue)
			if _, err := sub.ch.inspect(name); err != nil {
				return
			}
		}
	}
}

// abandon ends the subscription at once. RabbitMQ delivers again what is not
// acknowledged.
func (sub *subscription) abandon() {
	sub.cancelCtx(errSessionClosed)
	sub.acks.close()
	go sub.ch.close()
	sub.moving.Wait()
}

// A delivery is a message in the hands of a worker.
type delivery struct {
	sub     *subscription
	from    *prefetching
	attempt int // as it came; the worker may change that of message
	receipt receipt
	message dtask.Message

	// The acker guards these, for a copy may take the place of the original.
	raw      *incoming
	since    time.Time // when it came
	renewing bool      // a copy is on its way
	again    time.Time // when to try again to renew it
}

// Message implements dtask.Delivery.
func (d *delivery) Message() *dtask.Message { return &d.message }

// Settle implements dtask.Delivery.
func (d *delivery) Settle(v dtask.Verdict) {
	sub := d.sub
	switch v {
	case dtask.Done:
		if d.message.Keep == 0 {
			if !sub.acks.finish(d) {
				sub.consumer.executed.add(d.receipt)
			}
			return
		}
		sub.acks.take(d, func() { sub.move(d, sub.consumer.b.doneRecord(&d.message)) })
	case dtask.Requeue:
		sub.acks.take(d, func() { sub.requeue(d, true) })
	case dtask.Bury:
		sub.acks.take(d, func() { sub.buryChanged(d) })
	}
}
