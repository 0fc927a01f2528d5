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
	acks     *acker
	sources  [len(consumed)]source
	active   bool // not paused
	pace     pace
	tags     int // how many consumer tags were used

	ctx       context.Context // ends with the channel
	cancelCtx context.CancelCauseFunc

	moving sync.WaitGroup // messages that are being published again

	mu   sync.Mutex
	held map[uint64]*delivery // received by the worker and not settled, by tag
}

// subscribe begins to consume on s, unless the queue is paused.
func subscribe(ctx context.Context, c *consumer, s *session) (*subscription, error) {
	if err := c.b.topology.ensureConsumed(ctx, s, c.queue); err != nil {
		return nil, err
	}
	ch, err := s.channel(ctx)
	if err != nil {
		return nil, err
	}
	sub := &subscription{
		consumer: c,
		session:  s,
		ch:       ch,
		acks:     newAcker(ch),
		held:     make(map[uint64]*delivery),
	}
	sub.ctx, sub.cancelCtx = context.WithCancelCause(context.Background())
	for i, class := range consumed {
		sub.sources[i].class = class
	}
	closed := ch.NotifyClose(make(chan *amqp.Error, 1))
	go func() {
		var err error = errSessionClosed
		if e := <-closed; e != nil {
			err = e
		}
		sub.cancelCtx(fmt.Errorf("channel lost: %w", err))
	}()
	if _, err := within(ctx, func() (struct{}, error) { return struct{}{}, sub.pauseOrResume() }, nil); err != nil {
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
		sub.cancel()
		return nil
	}
	sub.pace = newPace(c.concurrency, time.Now())
	for i := range sub.sources {
		if err := sub.consume(&sub.sources[i]); err != nil {
			return err
		}
	}
	return nil
}

// receive takes a message of a source; more is false when the source has
// ended.
func (sub *subscription) receive(i int, raw amqp.Delivery, more bool) error {
	s := &sub.sources[i]
	if more {
		if d := sub.accept(s.class, &raw); d != nil {
			s.fetched = append(s.fetched, d)
		}
		return nil
	}
	// RabbitMQ has cancelled the consumer: the queue was deleted, or lost its
	// leader. The other classes, and what is being handled, are not concerned.
	s.in = nil
	if sub.ch.IsClosed() {
		<-sub.ctx.Done()
		return context.Cause(sub.ctx)
	}
	slog.Error("RabbitMQ has cancelled the consumer of a queue, which may have been deleted; declaring it again",
		"queue", sub.consumer.b.topology.queue(s.class, sub.consumer.queue))
	sub.consumer.b.topology.forget()
	if err := sub.consumer.b.topology.ensureConsumed(sub.ctx, sub.session, sub.consumer.queue); err != nil {
		return err
	}
	return sub.consume(s)
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
	sub.move(d, sub.publicationTo(classDead, p))
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
	sub.move(d, sub.publicationTo(classDead, p))
}

func (sub *subscription) publicationTo(c class, p amqp.Publishing) *publication {
	name := sub.consumer.b.topology.queue(c, sub.consumer.queue)
	return &publication{message: p, queue: sub.consumer.queue, class: c, route: func() route { return direct(name) }}
}

// move publishes a message and acknowledges its delivery once that is
// confirmed. In between a fault can double it, but not lose it.
func (sub *subscription) move(d *delivery, p *publication) {
	sub.moving.Go(func() {
		for attempt := 0; ; attempt++ {
			err := sub.consumer.b.publish(sub.ctx, p)
			switch {
			case err == nil:
				sub.acks.settle(d.raw.DeliveryTag)
				return
			case sub.ctx.Err() != nil:
				return // RabbitMQ delivers it again
			case errors.Is(err, dtask.ErrTooLarge):
				slog.Error("message cannot be published again; RabbitMQ moves it to the dead letters as it is",
					"queue", sub.consumer.queue, "id", p.message.MessageId, "err", err)
				sub.acks.reject(d.raw.DeliveryTag)
				return
			}
			slog.Error("message cannot be published; trying on", "queue", sub.consumer.queue, "id", p.message.MessageId, "err", err)
			if !sleep(sub.ctx, backoff(attempt)) {
				return
			}
		}
	})
}

// cancel stops the consumption and hands back what was fetched and not
// delivered.
func (sub *subscription) cancel() {
	for i := range sub.sources {
		s := &sub.sources[i]
		sub.end(s)
		for _, d := range s.fetched {
			sub.take(d)
			sub.handBack(d)
		}
		s.fetched = nil
	}
}

// take removes a delivery from those held, and reports whether it was there.
func (sub *subscription) take(d *delivery) bool {
	sub.mu.Lock()
	defer sub.mu.Unlock()
	_, ok := sub.held[d.raw.DeliveryTag]
	delete(sub.held, d.raw.DeliveryTag)
	return ok
}

// close ends the subscription in good order: it hands back what is not
// settled, and waits until everything settled is durable. hurry ends the
// waiting.
func (sub *subscription) close(hurry context.Context) error {
	sub.mu.Lock()
	held := sub.held
	sub.held = nil
	sub.mu.Unlock()
	for _, d := range held {
		sub.handBack(d)
	}
	_, err := within(hurry, func() (struct{}, error) {
		sub.moving.Wait()
		sub.acks.close()
		return struct{}{}, sub.ch.Close() // answered after the acknowledgements before it
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
	if !d.sub.take(d) {
		return // settled before, or given up
	}
	switch v {
	case dtask.Done:
		d.sub.acks.settle(d.raw.DeliveryTag)
	case dtask.Requeue:
		d.sub.requeue(d, d.sub.consumer.b.topology.roughly)
	case dtask.Bury:
		d.sub.buryChanged(d)
	}
}
