package outbox

import (
	"context"
	"database/sql"
	"log/slog"
	"sync/atomic"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// Outbox is a [broker.Outbox] in a database. Get one from [SQL].
type Outbox struct {
	db      *sql.DB
	name    string                  // see Named
	dialect atomic.Pointer[dialect] // nil until the table is known to be there
}

var _ broker.Outbox = (*Outbox)(nil)

// An Option is a setting of an [Outbox].
type Option func(*Outbox)

// Named gives the messages a name instead of the place that the broker says it is. A
// process relays the messages of the name that it has itself, to whatever broker it has.
// This is for brokers that move, and for servers of RabbitMQ whose clusters have the
// same name.
func Named(name string) Option { return func(o *Outbox) { o.name = name } }

// SQL returns the outbox of a database, which is PostgreSQL or SQLite with any driver.
// Pass it to [dtask.WithOutbox].
func SQL(db *sql.DB, opts ...Option) *Outbox {
	o := &Outbox{db: db}
	for _, set := range opts {
		set(o)
	}
	return o
}

// WithTx returns a context in which Delay enqueues in tx, a transaction in the database
// of the outbox.
func WithTx(ctx context.Context, tx *sql.Tx) context.Context {
	return broker.WithTransaction(ctx, exec(func(ctx context.Context, statement string, args ...any) error {
		_, err := tx.ExecContext(ctx, statement, args...)
		return err
	}))
}

// WithPgxTx returns a context in which Delay enqueues in tx, a pgx.Tx in the database
// of the outbox. R is the type that its Exec returns.
func WithPgxTx[R any](ctx context.Context, tx interface {
	Exec(ctx context.Context, statement string, args ...any) (R, error)
},
) context.Context {
	return broker.WithTransaction(ctx, exec(func(ctx context.Context, statement string, args ...any) error {
		_, err := tx.Exec(ctx, statement, args...)
		return err
	}))
}

// exec executes a statement in a transaction of the application.
type exec func(ctx context.Context, statement string, args ...any) error

// Relay implements [broker.Outbox].
func (o *Outbox) Relay(b broker.Broker, log *slog.Logger) broker.Relay {
	ctx, cancel := context.WithCancel(context.Background())
	r := &relay{Outbox: o, broker: b, log: log, wake: make(chan struct{}, 1), cancel: cancel}
	r.running.Go(func() { r.run(ctx) })
	r.running.Go(func() { r.watch(ctx) })
	return r
}
