package rabbitmq

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	dtask "github.com/dtaskhq/dtask/runtime"
)

// A subscription consumes all classes of a queue through one channel. It ends
// with the channel, and its deliveries with it.
type subscription struct {
	consumer *consumer
	session  *session
	ch       *amqp.Channel
	prefetch int // of each class, or so
	acks     *acker
	sources  [len(consumed)]source
	active   bool // not paused
	tags     int  // how many consumer tags were used

	ctx       context.Context // ends with the channel
	cancelCtx context.CancelCauseFunc

	moving sync.WaitGroup // messages that are being published again

	mu    sync.Mutex
	held  map[uint64]*delivery // fetched and not settled, by tag
	empty chan struct{}        // if not nil: closed when held is empty
	quiet chan struct{}        // if not nil: closed when the consumption has stopped
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
	ch, err := s.conn.Channel()
	if err != nil {
		return nil, err
	}
	sub := &subscription{
		consumer: c,
		session:  s,
		ch:       ch,
		prefetch: prefetch,
		acks:     newAcker(ch, prefetch),
		held:     make(map[uint64]*delivery),
	}
	sub.ctx, sub.cancelCtx = context.WithCancelCause(context.Background())
	for i, class := range consumed {
		sub.sources[i].class = class
	}
	closed := ch.NotifyClose(make(chan *amqp.Error, 1))
	go func() {
		sub.cancelCtx(fmt.Errorf("channel: %w", reason(<-closed)))
	}()
	if err := sub.pauseOrResume(); err != nil {
		sub.abandon()
		return nil, err
	}
	return sub, nil
}

// pauseOrResume starts or stops the consumption as the queue is paused or not.
func (sub *subscription) pauseOrResume() error {
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
		sub.quiesce()
		sub.handBackFetched(0)
		return nil
	}
	for i := range sub.sources {
		if err := sub.consume(&sub.sources[i]); err != nil {
			return err
		}
	}
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
func (sub *subscription) accept(c class, raw *amqp.Delivery) *delivery {
	d := &delivery{sub: sub, class: c, raw: *raw}
	var err error
	d.message, err = decode(raw, c, sub.consumer.queue)
	m, deaths := &d.message, deliveryCount(raw)
	switch {
	case err != nil:
		slog.Error("message is malformed; moved to the dead letters", "queue", m.Queue, "id", m.ID, "task", m.Task, "err", err)
		sub.bury(d, "the message is malformed: "+err.Error())
		return nil
	case c == classQuarantine:
		// It may be this worker that has moved it here, and not acknowledged
		// the original yet. If it kills the worker now there are two of it.
		time.Sleep(quarantinePause)
		sub.acks.flush(true)
		m.Attempt += max(0, deaths-1)
	case deaths > 0:
		if m.Attempt += deaths; m.Attempt >= m.Attempts {
			sub.quarantine(d)
			return nil
		}
	}
	if time.Until(m.NotBefore) > 0 { // beyond the longest delay, or by another clock
		sub.requeue(d, sub.consumer.b.topology.exactly)
		return nil
	}
	sub.mu.Lock()
	sub.held[raw.DeliveryTag] = d
	sub.mu.Unlock()
	return d
}

// quarantinePause is how long a message in quarantine waits before it is
// delivered: longer than its original takes to be acknowledged.
const quarantinePause = 100 * time.Millisecond

// quarantine moves a message to the quarantine of its queue.
func (sub *subscription) quarantine(d *delivery) {
	p := forward(&d.raw)
	p.Headers[headerAttempt] = int64(d.message.Attempts)
	sub.move(d, sub.publicationTo(classQuarantine, p))
}

// bury moves a message as it is to the dead letters, with a reason.
func (sub *subscription) bury(d *delivery, reason string) {
	p := forward(&d.raw)
	fs := append(d.message.Failures, dtask.Failure{Attempt: d.message.Attempt, At: time.Now(), Error: reason})
	p.Headers[headerFailures] = encodeFailures(fs)
	sub.moveDead(d, p, fs)
}

// handBack returns a message to the queue it came from, as it came, except for
// the deaths that RabbitMQ has counted: publishing anew resets them. A negative
// acknowledgement would do with one frame, but RabbitMQ before 4.3 counts it
// like a death.
func (sub *subscription) handBack(d *delivery) {
	p := forward(&d.raw)
	if d.message.Attempt > 1 {
		p.Headers[headerAttempt] = int64(d.message.Attempt)
	}
	sub.move(d, sub.publicationTo(d.class, p))
}

// requeue stores a message as the worker has left it.
func (sub *subscription) requeue(d *delivery, delayed func(string, time.Duration) route) {
	p, err := sub.consumer.b.publication(&d.message, delayed)
	if err != nil {
		sub.bury(d, "the message cannot be stored: "+err.Error())
		return
	}
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
func (sub *subscription) moveDead(d *delivery, p amqp.Publishing, failures []dtask.Failure) {
	ps := []*publication{sub.publicationTo(classDead, p)}
	if d.message.Keep > 0 {
		ps = append(ps, sub.consumer.b.deadRecord(&d.message, failures))
	}
	sub.move(d, ps...)
}

// done removes a message that was executed, once that is recorded if its
// outcome is to be kept.
func (sub *subscription) done(d *delivery) {
	if d.message.Keep > 0 {
		sub.move(d, sub.consumer.b.doneRecord(&d.message))
		return
	}
	sub.acks.settle(d.raw.DeliveryTag)
}

func (sub *subscription) publicationTo(c class, p amqp.Publishing) *publication {
	name := sub.consumer.b.topology.queue(c, sub.consumer.queue)
	return &publication{message: p, queue: sub.consumer.queue, class: c, route: func() route { return direct(name) }}
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
		sub.acks.settle(d.raw.DeliveryTag)
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
				"queue", sub.consumer.queue, "id", p.message.MessageId, "err", err)
			sub.acks.reject(d.raw.DeliveryTag)
			return false
		}
		slog.Error("message cannot be published; trying on", "queue", sub.consumer.queue, "id", p.message.MessageId, "err", err)
		if !sleep(sub.ctx, backoff(attempt)) {
			return false
		}
	}
}

// quiet is how long no message comes once the server has none to send.
const quiet = 5 * time.Millisecond

// quiesce stops the consumption. What was fetched stays fetched.
//
// With quorum queues a message can be on its way while the consumption is
// cancelled, and arrive afterwards. The library drops it; it is delivered
// again when the channel is closed, as if its worker had died. So the server
// is left without anything to send first: nothing is acknowledged until it has
// sent all that the prefetch allows, or all there is. Nor is anything published
// again meanwhile, which would come straight back.
func (sub *subscription) quiesce() {
	sub.acks.hold(true)
	defer sub.acks.hold(false)
	quieted := make(chan struct{})
	defer close(quieted)
	sub.mu.Lock()
	sub.quiet = quieted
	sub.mu.Unlock()
	silence := time.NewTimer(quiet)
	defer silence.Stop()
	deadline := time.Now().Add(20 * quiet)
	for time.Now().Before(deadline) {
		var i int
		var raw amqp.Delivery
		var ok bool
		select {
		case raw, ok = <-sub.sources[0].in:
			i = 0
		case raw, ok = <-sub.sources[1].in:
			i = 1
		case raw, ok = <-sub.sources[2].in:
			i = 2
		case raw, ok = <-sub.sources[3].in:
			i = 3
		case <-silence.C:
			deadline = time.Time{}
			continue
		}
		sub.fetch(&sub.sources[i], &raw, ok)
		silence.Reset(quiet)
	}
	for i := range sub.sources {
		if s := &sub.sources[i]; s.in != nil {
			sub.ch.Cancel(s.tag, false) // its error, too, ends the deliveries
			for raw := range s.in {
				sub.fetch(s, &raw, true)
			}
			s.in = nil
		}
	}
}

// awaitQuiet waits while the consumption is being stopped.
func (sub *subscription) awaitQuiet() {
	sub.mu.Lock()
	quiet := sub.quiet
	sub.mu.Unlock()
	if quiet != nil {
		<-quiet
	}
}

// fetch takes a message of a source. ok is false, and so is the result, when
// the source has ended.
func (sub *subscription) fetch(s *source, raw *amqp.Delivery, ok bool) bool {
	if !ok {
		s.in = nil
	} else if d := sub.accept(s.class, raw); d != nil {
		s.fetched = append(s.fetched, d)
	}
	return ok
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
			d.sub.settle(d, func() { d.sub.handBack(d) })
		}
	}
}

// settle does what settles a delivery, unless it is settled or given up.
func (sub *subscription) settle(d *delivery, how func()) {
	sub.mu.Lock()
	defer sub.mu.Unlock()
	if _, ok := sub.held[d.raw.DeliveryTag]; !ok {
		return
	}
	delete(sub.held, d.raw.DeliveryTag)
	how()
	if sub.empty != nil && len(sub.held) == 0 {
		close(sub.empty)
		sub.empty = nil
	}
}

// settledAll returns a channel that is closed once everything fetched is
// settled.
func (sub *subscription) settledAll() <-chan struct{} {
	sub.mu.Lock()
	defer sub.mu.Unlock()
	empty := make(chan struct{})
	if len(sub.held) == 0 {
		close(empty)
	} else {
		sub.empty = empty
	}
	return empty
}

// ackGrace is how long a channel stays open after its last acknowledgement. In
// RabbitMQ the channel keeps acknowledgements to itself while more than 32 are
// on their way to a quorum queue (quorum_commands_soft_limit), and they die
// with it: what they acknowledged is delivered again. Nothing tells when the
// queue has them.
const ackGrace = 300 * time.Millisecond

// close ends the subscription in good order: it hands back what is not
// settled, and waits until everything settled is durable. hurry ends the
// waiting.
func (sub *subscription) close(hurry context.Context) error {
	sub.mu.Lock()
	for _, d := range sub.held {
		sub.handBack(d)
	}
	sub.held = nil
	sub.mu.Unlock()
	_, err := within(hurry, func() (struct{}, error) {
		sub.moving.Wait()
		if sub.acks.close() {
			sleep(hurry, ackGrace)
		}
		return struct{}{}, sub.ch.Close()
	}, nil)
	sub.abandon()
	return err
}

// abandon ends the subscription at once. RabbitMQ delivers again what is not
// acknowledged.
func (sub *subscription) abandon() {
	sub.cancelCtx(errSessionClosed)
	go sub.ch.Close()
	sub.acks.close()
	sub.moving.Wait()
}

// A delivery is a message in the hands of a worker.
type delivery struct {
	sub     *subscription
	class   class
	raw     amqp.Delivery
	message dtask.Message
}

// Message implements dtask.Delivery.
func (d *delivery) Message() *dtask.Message { return &d.message }

// Settle implements dtask.Delivery.
func (d *delivery) Settle(v dtask.Verdict) {
	d.sub.settle(d, func() {
		switch v {
		case dtask.Done:
			d.sub.done(d)
		case dtask.Requeue:
			d.sub.requeue(d, d.sub.consumer.b.topology.roughly)
		case dtask.Bury:
			d.sub.buryChanged(d)
		}
	})
}
