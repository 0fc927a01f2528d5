package rabbitmq

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"

	amqp "github.com/rabbitmq/amqp091-go"
)

// declareFor is declare for what belongs to a queue: it enters the queue in the
// registry first.
func (t *topology) declareFor(ctx context.Context, s *session, queue string, f func(*amqp.Channel) error) error {
	if err := t.enter(ctx, s, queue); err != nil {
		return err
	}
	return t.declare(ctx, s, f)
}

// declare calls f with a channel of its own, for a failed declaration closes its
// channel. A session makes one such call at a time.
func (t *topology) declare(ctx context.Context, s *session, f func(*amqp.Channel) error) error {
	select {
	case s.declaring <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	case <-s.Done():
		return s.Err()
	}
	_, err := within(ctx, func() (struct{}, error) {
		defer func() { <-s.declaring }()
		return struct{}{}, s.Declare(context.Background(), f)
	}, nil)
	return err
}

// ensureAlone declares a queue of which the namespace has one, unless that was
// done before. Of those who ask at the same time one does it: each would take a
// channel. Unlike declare it does not wait for declarations of anything else.
func (t *topology) ensureAlone(ctx context.Context, s *session, name string, args amqp.Table) error {
	if _, ok := t.known.Load(name); ok {
		return nil
	}
	lock, _ := t.alone.LoadOrStore(name, make(chan struct{}, 1))
	select {
	case lock.(chan struct{}) <- struct{}{}:
		defer func() { <-lock.(chan struct{}) }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if _, ok := t.known.Load(name); ok {
		return nil
	}
	err := s.Declare(ctx, func(ch *amqp.Channel) error { return declareQueue(ch, name, args) })
	if err == nil {
		t.known.Store(name, struct{}{})
	}
	return err
}

// declareClasses declares the given classes of a queue, its dead letters, where
// RabbitMQ moves what it gives up on, and its queue of what is due.
func (t *topology) declareClasses(ch *amqp.Channel, queue string, classes ...class) error {
	dead := t.queue(classDead, queue)
	if _, ok := t.known.Load(dead); !ok {
		if err := declareDead(ch, dead); err != nil {
			return err
		}
		t.known.Store(dead, struct{}{})
	}
	if _, ok := t.known.Load(t.queue(classDue, queue)); !ok || slices.Contains(classes, classDue) {
		if err := t.declareDue(ch, queue); err != nil {
			return err
		}
	}
	for _, c := range classes {
		if c == classDead || c == classDue {
			continue
		}
		name := t.queue(c, queue)
		if err := declareQueue(ch, name, amqp.Table{
			amqp.QueueTypeArg:           amqp.QueueTypeQuorum,
			amqp.QueueOverflowArg:       amqp.QueueOverflowRejectPublish,
			"x-delivery-limit":          int64(deliveryLimit),
			"x-dead-letter-exchange":    "",
			"x-dead-letter-routing-key": dead,
			"x-dead-letter-strategy":    "at-least-once",
		}); err != nil {
			return err
		}
		t.known.Store(name, struct{}{})
	}
	return nil
}

// declareDead declares the dead letters of a queue.
func declareDead(ch *amqp.Channel, name string) error {
	return declareQueue(ch, name, amqp.Table{
		amqp.QueueTypeArg:  amqp.QueueTypeQuorum,
		"x-delivery-limit": int64(unlimited),
	})
}

// declareQueue declares a durable queue.
func declareQueue(ch *amqp.Channel, name string, args amqp.Table) error {
	if _, err := ch.QueueDeclare(name, true, false, false, false, args); err != nil {
		return declareError("queue", name, err)
	}
	return nil
}

// inequivalent matches what RabbitMQ says when something exists in another
// form: "inequivalent arg 'x-delivery-limit' for queue 'q' in vhost '/':
// received the value '3' of type 'long' but current is none".
var inequivalent = regexp.MustCompile(`inequivalent arg '([^']+)'.*?: (received .*)`)

// declareError explains why a declaration failed.
func declareError(kind, name string, err error) error {
	var e *amqp.Error
	if !errors.As(err, &e) {
		return fmt.Errorf("declare %s %s: %w", kind, name, err)
	}
	switch e.Code {
	case amqp.PreconditionFailed:
		if m := inequivalent.FindStringSubmatch(e.Reason); m != nil {
			return permanent(fmt.Errorf("%s %s exists with another argument %s (%s); delete it, or use another namespace= in the URL", kind, name, m[1], m[2]))
		}
		return permanent(fmt.Errorf("%s %s cannot be declared: %s", kind, name, e.Reason))
	case amqp.AccessRefused:
		return permanent(fmt.Errorf("%s %s: the user lacks a permission; grant configure, write and read for it (%s)", kind, name, e.Reason))
	}
	return fmt.Errorf("declare %s %s: %w", kind, name, err)
}

// isCode reports whether err is an exception of RabbitMQ with the given code.
func isCode(err error, code int) bool {
	var e *amqp.Error
	return errors.As(err, &e) && e.Code == code
}
