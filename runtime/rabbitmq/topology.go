package rabbitmq

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"sync"
	"sync/atomic"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

const (
	// deliveryLimit is the number of deliveries after which RabbitMQ itself
	// moves a message to the dead letters. It is a backstop for messages that
	// kill workers before these can count; and it is explicit because the
	// default depends on the version.
	deliveryLimit = 1000

	// unlimited is the delivery limit of queues that are only read: reading
	// counts as a delivery.
	unlimited = 1_000_000_000
)

// A topology declares the queues and exchanges of a namespace, and remembers
// what it has declared.
type topology struct {
	names
	mu    chan struct{} // a mutex whose Lock can be given up
	known sync.Map      // what was declared → struct{}

	// level is the highest level of delay that was declared, or -1.
	level atomic.Int32
}

func newTopology(namespace string) *topology {
	t := &topology{names: names{namespace}, mu: make(chan struct{}, 1)}
	t.level.Store(-1)
	return t
}

// forget makes the topology declare again what it has declared: somebody has
// deleted something.
func (t *topology) forget() {
	t.known.Clear()
	t.level.Store(-1)
}

// ensure declares, with the session's connection, a class of a queue and the
// levels of delay from the given one down, unless that was done before.
func (t *topology) ensure(ctx context.Context, s *session, c class, queue string, level int) error {
	switch c {
	case classResults:
		return t.ensureResults(ctx, s)
	case classRenewed:
		return nil // declared by who consumes it
	}
	name := t.queue(c, queue)
	if _, ok := t.known.Load(name); ok && int(t.level.Load()) >= level {
		return nil
	}
	return t.declare(ctx, s, func(ch *amqp.Channel) error {
		if err := t.declareClasses(s, ch, queue, c); err != nil {
			return err
		}
		if int(t.level.Load()) >= level {
			return nil
		}
		return t.declareDelays(ch, level)
	})
}

// redeclare declares a class of a queue, even if that was done before.
func (t *topology) redeclare(ctx context.Context, s *session, c class, queue string) error {
	return t.declare(ctx, s, func(ch *amqp.Channel) error {
		return t.declareClasses(s, ch, queue, c)
	})
}

// ensureConsumed declares all classes of a queue, and what retries pass
// through. It does so even if it did before: consumers call it once for each
// session.
func (t *topology) ensureConsumed(ctx context.Context, s *session, queue string) error {
	return t.declare(ctx, s, func(ch *amqp.Channel) error {
		if err := t.declareClasses(s, ch, queue, consumed[:]...); err != nil {
			return err
		}
		return t.declareDelays(ch, int(t.level.Load()))
	})
}

// declareDelays declares the levels of delay from the given one down, but
// at least those of retries. They are all declared at once and early, because a
// quorum queue that is only seconds old does not survive a crash of RabbitMQ,
// and the first retries of a certain length may come in such times.
func (t *topology) declareDelays(ch *amqp.Channel, level int) error {
	level = max(level, retryLevel)
	if err := t.declareLevels(ch, level); err != nil {
		return err
	}
	t.level.Store(int32(level))
	return nil
}

// declare runs f with a channel of its own, for a failed declaration closes
// its channel. One runs at a time.
func (t *topology) declare(ctx context.Context, s *session, f func(*amqp.Channel) error) error {
	select {
	case t.mu <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	case <-s.closed:
		return s.err
	}
	_, err := within(ctx, func() (struct{}, error) {
		defer func() { <-t.mu }()
		ch, err := s.conn.Channel()
		if err != nil {
			return struct{}{}, err
		}
		defer ch.Close()
		return struct{}{}, f(ch)
	}, nil)
	return err
}

// declareClasses declares a queue: the classes given and the dead letters,
// where what RabbitMQ gives up on goes.
func (t *topology) declareClasses(s *session, ch *amqp.Channel, queue string, classes ...class) error {
	dead := t.queue(classDead, queue)
	if _, ok := t.known.Load(dead); !ok {
		exists, err := queueExists(s.conn, dead)
		if err != nil {
			return err
		}
		if !exists {
			if err := t.register(s, ch, queue); err != nil {
				return err
			}
		}
		if err := declareQueue(ch, dead, amqp.Table{
			amqp.QueueTypeArg:  amqp.QueueTypeQuorum,
			"x-delivery-limit": int64(unlimited),
		}); err != nil {
			return err
		}
		t.known.Store(dead, struct{}{})
	}
	if err := t.declareArrival(ch); err != nil {
		return err
	}
	for _, c := range classes {
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
		if c != classQuarantine {
			if err := t.bindArrival(ch, name); err != nil {
				return err
			}
		}
		t.known.Store(name, struct{}{})
	}
	return nil
}

// register adds a queue to the registry: AMQP has no way to list queues. It is
// done before the queue is declared, so that no queue is missing there.
func (t *topology) register(s *session, ch *amqp.Channel, queue string) error {
	if err := declareQueue(ch, t.registry(), amqp.Table{
		amqp.QueueTypeArg:  amqp.QueueTypeQuorum,
		"x-delivery-limit": int64(unlimited),
	}); err != nil {
		return err
	}
	if err := ch.Confirm(false); err != nil {
		return err
	}
	confirm, err := ch.PublishWithDeferredConfirm("", t.registry(), true, false, amqp.Publishing{
		DeliveryMode: amqp.Persistent,
		ContentType:  "text/plain",
		Timestamp:    time.Now(),
		Body:         []byte(queue),
	})
	if err != nil {
		return err
	}
	if !confirm.Wait() {
		return fmt.Errorf("queue %s could not be entered in %s", queue, t.registry())
	}
	return nil
}

// queueExists reports whether a queue exists. It takes a channel of its own:
// that nothing is found closes it.
func queueExists(conn *amqp.Connection, name string) (bool, error) {
	_, ok, err := queueLength(conn, name)
	return ok, err
}

// queueLength returns the number of messages that are ready in a queue, and
// whether the queue exists.
func queueLength(conn *amqp.Connection, name string) (n int, ok bool, err error) {
	ch, err := conn.Channel()
	if err != nil {
		return 0, false, err
	}
	defer ch.Close()
	q, err := ch.QueueDeclarePassive(name, true, false, false, false, nil)
	if isCode(err, amqp.NotFound) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, declareError("queue", name, err) // 4.3 asks for the permission to configure
	}
	return q.Messages, true, nil
}

func isCode(err error, code int) bool {
	var e *amqp.Error
	return errors.As(err, &e) && e.Code == code
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
