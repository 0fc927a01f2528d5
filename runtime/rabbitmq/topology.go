package rabbitmq

import (
	"context"
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
	alone sync.Map // what ensureAlone declares → chan struct{}, a mutex

	// register enters a new queue in the registry. If its connection is one
	// for publishing, it waits for that.
	register func(ctx context.Context, s *session, queue string) error

	keepJournal atomic.Int64 // for how long, in seconds, if it is declared; 0 for the default

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
	case classProcesses:
		return t.ensureProcesses(ctx, s)
	case classPauses:
		return t.ensurePauses(ctx, s)
	case classCancelled:
		return t.ensureCancelled(ctx, s)
	case classJournal:
		return t.ensureJournal(ctx, s)
	case classActs:
		return t.ensureActs(ctx, s)
	case classAstray:
		if t.hasLevels(level) {
			return nil
		}
		return t.declare(ctx, s, func(ch *amqp.Channel) error { return t.declareDelays(ch, level) })
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
	t.known.Delete(t.queue(classDead, queue))
	t.known.Delete(t.queue(classDue, queue))
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
