package postgres

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
)

// listener hears what other processes say, on a connection of its own. What they say
// is a hint: whoever does not hear it finds out a little later by looking. Its
// connection has the lock that shows that this process lives.
type listener struct {
	b    *Broker
	once sync.Once

	connections atomic.Int64 // in all

	mu   sync.Mutex
	stop context.CancelFunc // of the connection
}

// start starts to listen, unless a pooler is in between.
func (l *listener) start() {
	if !l.b.place.direct {
		return
	}
	l.once.Do(func() { l.b.goes(l.run) })
}

// renew makes the listener connect again: this process has another number.
func (l *listener) renew() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stop != nil {
		l.stop()
	}
}

func (l *listener) run(ctx context.Context) {
	for pause := firstPause; ; {
		listening, stop := context.WithCancel(ctx)
		l.mu.Lock()
		l.stop = stop
		l.mu.Unlock()
		heard, err := l.listen(listening)
		stop()
		if ctx.Err() != nil {
			return
		}
		if heard {
			pause = firstPause
		}
		if listening.Err() == nil {
			l.b.trouble.note(l.b.explain(err))
		}
		if !sleep(ctx, pause) {
			return
		}
		pause = min(2*pause, lastPause)
	}
}

// listen connects, and listens until the connection ends. It reports whether it has
// listened.
func (l *listener) listen(ctx context.Context) (heard bool, err error) {
	b := l.b
	c, err := b.connect(ctx)
	if err != nil {
		return false, err
	}
	defer c.Close(context.WithoutCancel(ctx))
	l.connections.Add(1)
	b.liveness.session.Store(time.Now().UnixNano())
	if worker := b.liveness.worker.Load(); worker > 0 {
		if err := b.liveness.lock(ctx, c, worker); err != nil {
			return false, err
		}
	}
	if _, err := c.Exec(ctx, "LISTEN "+pgx.Identifier{b.channel()}.Sanitize()); err != nil {
		return false, err
	}
	l.hear("") // what was said before
	for {
		n, err := c.WaitForNotification(ctx)
		if err != nil {
			return true, err
		}
		l.hear(n.Payload)
	}
}

// The topics of notifications beside names of queues, which have no asterisk.
const (
	resultsTopic  = "*results"
	controlsTopic = "*controls" // pauses and cancels
	ordersTopic   = "*orders"
)

// hear passes on what was said; nothing means that anything may have been.
func (l *listener) hear(topic string) {
	b := l.b
	switch topic {
	case "":
		for _, c := range b.claimer.all() {
			b.claimer.hint(c.queue, hint{})
		}
		b.claimer.lookAtControls()
		b.waiters.changed()
		b.orderly.look()
	case resultsTopic:
		b.waiters.changed()
	case controlsTopic:
		b.claimer.lookAtControls()
	case ordersTopic:
		b.orderly.look()
	default:
		b.claimer.hint(topic, hint{})
	}
}

// lock takes the lock that shows that a process lives, for as long as the connection
// lasts.
func (k *liveness) lock(ctx context.Context, c *pgx.Conn, worker int64) error {
	var got bool
	if err := c.QueryRow(ctx, "SELECT pg_try_advisory_lock($1, $2)", k.b.lockClass(), lockNumber(worker)).Scan(&got); err != nil || !got {
		return err
	}
	_, err := c.Exec(ctx, k.b.in("UPDATE dtask_workers SET session = true WHERE id = $1"), worker)
	return err
}

func (b *Broker) lockClass() int32 { return int32(b.hash("worker")) }

func lockNumber(worker int64) int32 { return int32(worker) }
