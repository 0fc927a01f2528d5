package rabbitmq

import (
	"context"
	"os"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/wire"
)

// A suspect is a message in the quarantine of its queue: it may have killed its
// worker, or its neighbours have. It runs while nothing else runs in the process,
// of no queue, so that a death meanwhile is its own: only such deaths are counted
// there. First the gate of the process is shut: all its consumers cancel, hand
// back what waits, and finish what runs. Then the processes that may die together with
// this one do the same, if the program knows of some ([broker.Gatekeeper]), and one
// suspect is fetched. Others go on, but of the processes on a host one at a time does
// this, for one queue.

const (
	// suspectInterval is how often the quarantines are looked at.
	suspectInterval = time.Second

	// quietTime is how long a process may take until nothing runs. Then it goes
	// on, and tries again after firstRetry, and twice as long each time, up to
	// lastRetry.
	quietTime  = 30 * time.Second
	firstRetry = time.Minute
	lastRetry  = 16 * time.Minute

	// suspectComes is how long a suspect takes to come. Another worker may have
	// taken it.
	suspectComes = time.Second
)

// watchSuspects runs the suspects of the queues that the process consumes, until
// ctx ends.
func (b *Broker) watchSuspects(ctx context.Context) {
	var ch *wire.Channel
	var of *session
	retry, notBefore := firstRetry, time.Time{}
	for sleep(ctx, suspectInterval) {
		s, err := b.consuming.session(ctx)
		if err != nil {
			continue
		}
		if ch == nil || s != of || ch.Err() != nil {
			if ch, err = s.Channel(ctx); err != nil {
				ch = nil
				continue
			}
			of = s
		}
		for _, c := range b.consumersNow() {
			n, err := ch.Ready(b.topology.queue(classQuarantine, c.queue))
			if err != nil {
				break // the queue was deleted; its consumer declares it again
			}
			if n == 0 || c.isPaused.Load() || time.Now().Before(notBefore) {
				continue
			}
			unlock, ok := b.lockSuspects(ctx, s)
			if !ok {
				break // another process of the host is at it
			}
			began := time.Now()
			ran := b.runSuspect(ctx, c)
			unlock()
			if ran {
				retry = firstRetry
			} else {
				c.log.Warn("a message that may have killed its worker waits until nothing else runs here; trying again later", "again_in", retry)
				notBefore, retry = time.Now().Add(retry), min(2*retry, lastRetry)
			}
			sleep(ctx, min(time.Since(began), quietTime)) // the others have their time, too
		}
	}
	if ch != nil {
		ch.Close()
	}
}

// runSuspect runs one suspect of the queue of c while nothing else runs. It
// returns false if something does not end in time.
func (b *Broker) runSuspect(ctx context.Context, c *consumer) bool {
	quieting, cancel := context.WithTimeout(ctx, quietTime)
	defer cancel()
	resume, err := b.Quiet(quieting)
	if err != nil {
		return ctx.Err() != nil
	}
	defer resume()
	if b.alone != nil {
		release := b.alone(ctx)
		defer release()
	}
	c.suspects.Store(0)
	c.gate.Store(passSuspect)
	signal(c.recheck)
	coming, cancel := context.WithTimeout(ctx, suspectComes)
	defer cancel()
	if !b.awaitGate(coming, func() bool { return c.suspects.Load() > 0 }) {
		return true
	}
	b.awaitGate(ctx, func() bool { return c.quiet(passSuspect) || c.ctx.Err() != nil })
	return true
}

// lockSuspects takes the lock of those who run suspects on this host, unless another
// process has it. The lock is an exclusive queue: RabbitMQ removes it with the
// connection.
func (b *Broker) lockSuspects(ctx context.Context, s *session) (unlock func(), ok bool) {
	host, _ := os.Hostname() // without a name, it is the lock of all such hosts
	name := b.topology.suspectsOn(host)
	ctx = context.WithoutCancel(ctx) // a lock that nobody knows of would stay
	err := s.Declare(ctx, func(ch *amqp.Channel) error {
		_, err := ch.QueueDeclare(name, false, true, true, false, nil)
		return err
	})
	if err != nil {
		return nil, false
	}
	return func() {
		s.Declare(ctx, func(ch *amqp.Channel) error {
			_, err := ch.QueueDelete(name, false, false, false)
			return err
		})
	}, true
}
