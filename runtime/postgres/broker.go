package postgres

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/internal/safelog"
)

func init() {
	for _, scheme := range schemes {
		broker.Register(scheme, func(ctx context.Context, url string, c broker.Config) (broker.Broker, error) {
			return Open(ctx, url, c)
		})
	}
}

// Broker is a [broker.Broker] in a PostgreSQL database. Get one from [Open], or use it
// through [dtask.Open].
type Broker struct {
	target
	log    *slog.Logger
	pool   *pgxpool.Pool
	place  place
	server atomic.Pointer[string] // the address of the newest connection
	calls  chan struct{}          // of callers, so that they leave connections for the rest

	inserter inserter
	settler  settler
	claimer  claimer
	liveness liveness
	listener listener
	notifier notifier
	waiters  waiters
	orderly  orderly
	journal  journal
	trouble  trouble

	life   context.Context // ends with Close
	end    context.CancelFunc
	living sync.WaitGroup // the goroutines
	closed atomic.Bool
	closer sync.Once
	err    error // of Close
}

var _ broker.Broker = (*Broker)(nil)

// Open opens the database that url names. It makes the tables if there are none,
// unless the URL says migrate=off.
func Open(ctx context.Context, url string, config broker.Config) (*Broker, error) {
	t, err := parseURL(url)
	if err != nil {
		return nil, err
	}
	b := &Broker{target: t, log: safelog.New(config.Logger)}
	if b.place, err = b.look(ctx); err != nil {
		return nil, b.explain(err)
	}
	b.target.pool.AfterConnect = b.noteServer
	if b.pool, err = pgxpool.NewWithConfig(ctx, b.target.pool); err != nil {
		return nil, b.explain(err)
	}
	b.life, b.end = context.WithCancel(context.Background())
	b.calls = make(chan struct{}, max(b.target.pool.MaxConns-ownConns, 1))
	b.inserter.b, b.settler.b, b.claimer.b, b.liveness.b, b.listener.b, b.notifier.b, b.waiters.b, b.orderly.b = b, b, b, b, b, b, b, b
	b.settler.drained.L = &b.settler.mu
	b.claimer.every = pollEvery
	b.orderly.change = make(chan struct{}, 1)
	return b, nil
}

// ownConns is how many connections the goroutines of a broker need at one time, of
// which none keeps one.
const ownConns = 6

// closePatience is how long Close waits for what is to be stored.
const closePatience = 10 * time.Second

// Close waits until what was enqueued and settled is durable, and closes the
// connections. Consumers that are still open give up their deliveries.
func (b *Broker) Close() error {
	b.closer.Do(func() {
		b.closed.Store(true)
		ctx, cancel := context.WithTimeout(b.life, closePatience)
		defer cancel()
		b.err = b.inserter.drain(ctx)
		for _, c := range b.claimer.all() {
			b.err = errors.Join(b.err, c.Close(ctx))
		}
		b.err = errors.Join(b.err, b.settler.drain(ctx))
		b.liveness.leave(ctx)
		b.notifier.flush(ctx)
		b.end()
		b.living.Wait()
		b.pool.Close()
	})
	return b.err
}

// goes runs f until the broker is closed.
func (b *Broker) goes(f func(ctx context.Context)) {
	b.living.Go(func() { f(b.life) })
}

// sleep waits for a time, or until ctx ends, and reports whether that has not ended.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
