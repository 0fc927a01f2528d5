package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// querier is a connection or a transaction.
type querier interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
	SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults
}

const (
	// tryTime is how long one try may take: a connection that is stalled is given
	// up after it.
	tryTime = 30 * time.Second

	firstPause = 20 * time.Millisecond // between tries; doubles
	lastPause  = time.Second
)

// try calls f once, on a connection of the pool.
func (b *Broker) try(ctx context.Context, f func(ctx context.Context, q querier) error) error {
	ctx, cancel := context.WithTimeout(ctx, tryTime)
	defer cancel()
	c, err := b.pool.Acquire(ctx)
	if err != nil {
		return err
	}
	defer c.Release()
	err = within(ctx, c.Conn(), func(ctx context.Context) error { return f(ctx, c) })
	if code(err) == codeReadOnly { // it was the primary: connect again
		c.Conn().Close(ctx)
	}
	return err
}

// within calls f with a context that does not end. When ctx does, f's statement fails, and
// the connection is closed. pgx would do the same, but with a goroutine for each statement.
// What has succeeded just before that stays so.
func within(ctx context.Context, c *pgx.Conn, f func(ctx context.Context) error) error {
	socket := c.PgConn().Conn()
	stop := context.AfterFunc(ctx, func() { socket.SetDeadline(time.Unix(1, 0)) })
	err := f(context.WithoutCancel(ctx))
	if !stop() {
		c.Close(ctx)
	}
	return err
}

// persist calls f until it succeeds, or fails for a reason that does not pass, or ctx
// ends. It is for the goroutines of the broker.
func (b *Broker) persist(ctx context.Context, f func(ctx context.Context, q querier) error) error {
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		err := b.try(ctx, f)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return b.late(ctx)
		}
		if !passes(err) {
			return b.explain(err)
		}
		b.trouble.note(b.explain(err))
		if !sleep(ctx, pause) {
			return b.late(ctx)
		}
	}
}

// late returns the error of one whose time is up.
func (b *Broker) late(ctx context.Context) error {
	return b.trouble.explain(fmt.Errorf("postgres %s: no answer: %w", b.where, ctx.Err()))
}

// call is persist for a caller, whose error it returns.
func (b *Broker) call(ctx context.Context, f func(ctx context.Context, q querier) error) error {
	if b.closed.Load() {
		return broker.ErrClosed
	}
	select {
	case b.calls <- struct{}{}:
		defer func() { <-b.calls }()
	case <-ctx.Done():
		return ctx.Err()
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(b.life, func() { cancel(broker.ErrClosed) })()
	err := b.persist(ctx, f)
	if err != nil && errors.Is(context.Cause(ctx), broker.ErrClosed) {
		return broker.ErrClosed
	}
	return err
}

// transact calls f in a transaction. After an error of persist's kind it is called
// again: it must set all of its results anew.
func (b *Broker) transact(ctx context.Context, f func(ctx context.Context, tx pgx.Tx) error) error {
	return b.call(ctx, func(ctx context.Context, q querier) error {
		return pgx.BeginFunc(ctx, q.(pgxBeginner), func(tx pgx.Tx) error { return f(ctx, tx) })
	})
}

type pgxBeginner interface {
	Begin(ctx context.Context) (pgx.Tx, error)
}

// planned is what is to precede a statement on messages in its transaction. Plans are
// kept, and one that was made while the table was small must serve when it is large;
// the costs that forbid others must not make PostgreSQL compile the query.
const planned = "SELECT set_config('enable_seqscan', 'off', true), set_config('enable_bitmapscan', 'off', true)," +
	" set_config('enable_sort', 'off', true), set_config('jit', 'off', true)"

// plannedLightly is planned for what need not survive a crash of the server, which is
// not waited for.
const plannedLightly = planned + ", set_config('synchronous_commit', 'off', true)"

// rows calls f with each row of a result.
func rows(r pgx.Rows, err error, f func(pgx.Rows) error) error {
	if err != nil {
		return err
	}
	defer r.Close()
	for r.Next() {
		if err := f(r); err != nil {
			return err
		}
	}
	return r.Err()
}
