package postgres

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// liveness shows that this process lives, and notices that others do not.
type liveness struct {
	b      *Broker
	worker atomic.Int64 // in dtask_workers, 0 until it consumes

	joining sync.Mutex
	running bool

	mu     sync.Mutex
	held   map[int64]int32 // the messages that this process holds, by seq, with the number of the claim
	loose  map[int64]bool  // those that it holds by the table alone, at the last look
	flight int64           // the state of the claimer then

	doubtful atomic.Bool // a claim may have succeeded whose answer was lost

	// The rest belongs to the goroutine.
	renewed time.Time    // when the entry was last renewed
	steady  time.Time    // since when that has been in time
	session atomic.Int64 // since when the listener is connected, in Unix nanoseconds
	turns   int
}

const (
	// heartbeat is how often a process renews its entry.
	heartbeat = 500 * time.Millisecond

	// silence is how long a process is not heard of until it is dead, if its lock is
	// free, and lease if it is not: it may be suspended, or its lock be a pooler's.
	silence = 1500 * time.Millisecond
	lease   = 10 * time.Second

	// lateHeartbeat is when a process that could not renew its own entry no longer
	// expects it of the others: the server was not to be reached, say. Then, and after
	// it has connected, it waits for recovery until it expects it again.
	lateHeartbeat = 1200 * time.Millisecond
	recovery      = 1500 * time.Millisecond

	// repairEvery is after how many heartbeats what is out of place is repaired.
	repairEvery = 10
)

// join enters this process, unless it is entered.
func (l *liveness) join(ctx context.Context) error {
	l.joining.Lock()
	defer l.joining.Unlock()
	b := l.b
	if l.worker.Load() == 0 {
		if err := b.call(ctx, l.enter); err != nil {
			return err
		}
	}
	if !l.running {
		l.running = true
		l.held = make(map[int64]int32)
		l.renewed, l.steady = time.Now(), time.Now()
		b.goes(l.run)
	}
	b.listener.start()
	return nil
}

func (l *liveness) enter(ctx context.Context, q querier) error {
	var id int64
	if err := q.QueryRow(ctx, l.b.in("INSERT INTO dtask_workers (seen) VALUES (clock_timestamp()) RETURNING id")).Scan(&id); err != nil {
		return err
	}
	l.worker.Store(id)
	return nil
}

// run is the goroutine.
func (l *liveness) run(ctx context.Context) {
	tick := time.NewTicker(heartbeat)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		if err := l.beat(ctx); err != nil && ctx.Err() == nil {
			l.b.complain(err)
		}
	}
}

// beat renews the entry, frees the messages of the dead, and as often as that repairs
// what is out of place.
func (l *liveness) beat(ctx context.Context) error {
	known := false
	if err := l.b.try(ctx, func(ctx context.Context, q querier) error {
		var batch pgx.Batch
		batch.Queue(plannedLightly)
		batch.Queue(l.b.in("UPDATE dtask_workers SET seen = clock_timestamp() WHERE id = $1"), l.worker.Load())
		n, err := affected(ctx, q, &batch)
		known = n > 0
		return err
	}); err != nil {
		return err
	}
	l.noteRenewal(time.Now())
	if !known {
		if err := l.comeBack(ctx); err != nil {
			return err
		}
	}
	if err := l.lookForDead(ctx); err != nil {
		return err
	}
	if l.turns++; l.turns%repairEvery == 0 || l.doubtful.Swap(false) {
		return l.repair(ctx)
	}
	return nil
}

// noteRenewal is called when the entry has been renewed.
func (l *liveness) noteRenewal(now time.Time) {
	// By what has passed, or by the clock: the machine may have slept.
	if past := max(now.Sub(l.renewed), now.Round(0).Sub(l.renewed.Round(0))); past > lateHeartbeat {
		l.steady = now
	}
	l.renewed = now
}

// judges reports whether others that are silent are dead: the server could be reached,
// for long enough that one that lives would have been heard of.
func (l *liveness) judges(now time.Time) bool {
	return now.Sub(l.steady) > recovery && now.Sub(time.Unix(0, l.session.Load())) > recovery
}

// comeBack enters this process again, which others have taken for dead. Its consumers
// go on with new ids: outcomes that are reported under the old ones have no effect.
func (l *liveness) comeBack(ctx context.Context) error {
	b := l.b
	b.log.Warn("another process took this one for dead, and its messages: they run again; the consumers go on", "database", b.where)
	if err := b.try(ctx, l.enter); err != nil {
		return err
	}
	b.listener.renew()
	for _, c := range b.claimer.all() {
		c.shed(0) // what nobody has begun
		if err := b.try(ctx, func(ctx context.Context, q querier) error { return b.register(ctx, q, c) }); err != nil {
			l.worker.Store(-l.worker.Load()) // the next heartbeat does it again
			return err
		}
	}
	return nil
}

// hold notes messages that were claimed.
func (l *liveness) hold(ds []*delivery) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, d := range ds {
		l.held[d.seq] = d.claim
	}
}

// drop notes that a message is settled.
func (l *liveness) drop(d *delivery) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.held[d.seq] == d.claim { // it was not claimed again meanwhile
		delete(l.held, d.seq)
	}
}

// doubt makes the liveness look soon whether this process holds what it does not know
// of.
func (l *liveness) doubt() { l.doubtful.Store(true) }

// giveUp frees the messages of a consumer, if the database can be reached.
func (l *liveness) giveUp(ctx context.Context, c *consumer) error {
	return l.b.try(context.WithoutCancel(ctx), func(ctx context.Context, q querier) error { return l.b.forget(ctx, q, c) })
}

// forget frees the messages of a consumer at no cost of an attempt, and forgets it.
func (b *Broker) forget(ctx context.Context, q querier, c *consumer) error {
	if _, err := q.Exec(ctx, b.in("DELETE FROM dtask_consumers WHERE id = $1"), c.id.Load()); err != nil {
		return err
	}
	_, err := b.free(ctx, q, "UPDATE dtask_messages SET state = 0, owner = NULL WHERE state = 1 AND owner = $1", c.id.Load())
	return err
}

// leave removes the entry of this process. If it cannot, the others do.
func (l *liveness) leave(ctx context.Context) {
	worker := l.worker.Load()
	if worker == 0 {
		return
	}
	if err := l.b.try(ctx, func(ctx context.Context, q querier) error {
		_, err := q.Exec(ctx, l.b.in("DELETE FROM dtask_workers WHERE id = $1"), worker)
		return err
	}); err != nil && err != broker.ErrClosed {
		l.b.complain(err)
	}
}
