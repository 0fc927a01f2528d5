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

// levelsTrust is for how long levels of delay are taken to be there. Nothing
// tells when a lower one was deleted: messages stay above it.
const levelsTrust = time.Minute

// A topology declares the queues and exchanges of a namespace, and remembers
// what it has declared.
type topology struct {
	names
	known sync.Map // what was declared → struct{}

	// register enters a new queue in the registry. If its connection is one
	// for publishing, it waits for that.
	register func(ctx context.Context, s *session, queue string) error

	level      atomic.Int32 // the highest level of delay that was declared, or -1
	levelsTime atomic.Int64 // when, in Unix seconds
}

func newTopology(namespace string) *topology {
	t := &topology{names: names{namespace}}
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
	case classRegistry:
		return t.ensureRegistry(ctx, s)
	}
	_, known := t.known.Load(t.queue(c, queue))
	if known && t.hasLevels(level) {
		return nil
	}
	return t.declareFor(ctx, s, queue, func(ch *amqp.Channel) error {
		if err := t.declareClasses(ch, queue, c); err != nil || level < 0 {
			return err
		}
		return t.declareDelays(ch, level)
	})
}

// hasLevels reports whether the levels of delay up to the given one are there.
// One caller a minute is told that they are not.
func (t *topology) hasLevels(level int) bool {
	if level < 0 {
		return true
	}
	now, last := time.Now().Unix(), t.levelsTime.Load()
	if now-last > int64(levelsTrust/time.Second) && t.levelsTime.CompareAndSwap(last, now) {
		return false
	}
	return int(t.level.Load()) >= level
}

// redeclare declares a class of a queue, even if that was done before.
func (t *topology) redeclare(ctx context.Context, s *session, c class, queue string) error {
	return t.declareFor(ctx, s, queue, func(ch *amqp.Channel) error {
		return t.declareClasses(ch, queue, c)
	})
}

// ensureConsumed declares all classes of a queue, and what retries pass
// through. It does so even if it did before: consumers call it once for each
// session.
func (t *topology) ensureConsumed(ctx context.Context, s *session, queue string) error {
	return t.declareFor(ctx, s, queue, func(ch *amqp.Channel) error {
		if err := t.declareClasses(ch, queue, consumed[:]...); err != nil {
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
	t.levelsTime.Store(time.Now().Unix())
	return nil
}

// declareFor is declare of what belongs to a queue, which is entered in the
// registry before.
func (t *topology) declareFor(ctx context.Context, s *session, queue string, f func(*amqp.Channel) error) error {
	if err := t.enter(ctx, s, queue); err != nil {
		return err
	}
	return t.declare(ctx, s, f)
}

// declare runs f with a channel of its own, for a failed declaration closes
// its channel. One runs at a time on a session.
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

// ensureAlone declares a queue of which there is one in the namespace, unless
// that was done before. Unlike declare it lets nobody wait for the declaration
// of another.
func (t *topology) ensureAlone(ctx context.Context, s *session, name string, args amqp.Table) error {
	if _, ok := t.known.Load(name); ok {
		return nil
	}
	err := s.Declare(ctx, func(ch *amqp.Channel) error { return declareQueue(ch, name, args) })
	if err == nil {
		t.known.Store(name, struct{}{})
	}
	return err
}

// declareClasses declares a queue: the classes given and the dead letters,
// where what RabbitMQ gives up on goes.
func (t *topology) declareClasses(ch *amqp.Channel, queue string, classes ...class) error {
	dead := t.queue(classDead, queue)
	if _, ok := t.known.Load(dead); !ok {
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
		if c == classDead {
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
		if c != classQuarantine {
			if err := t.bindArrival(ch, name); err != nil {
				return err
			}
		}
		t.known.Store(name, struct{}{})
	}
	return nil
}

// queueExists reports whether a queue exists. It takes a channel of its own:
// that nothing is found closes it.
func queueExists(ctx context.Context, s *session, name string) (bool, error) {
	_, ok, err := queueLength(ctx, s, name)
	return ok, err
}

// queueLength returns the number of messages that are ready in a queue, and
// whether the queue exists.
func queueLength(ctx context.Context, s *session, name string) (n int, ok bool, err error) {
	var q amqp.Queue
	err = s.Declare(ctx, func(ch *amqp.Channel) (err error) {
		q, err = ch.QueueDeclarePassive(name, true, false, false, false, nil)
		return err
	})
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
