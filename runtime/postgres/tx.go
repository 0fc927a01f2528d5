package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// WithTx returns a context in which Delay enqueues, and Cancel cancels, in tx, a
// transaction of your application on the database of the broker. The task is there when
// tx is committed, and gone when tx is rolled back; with a cancel it is the other way
// round, and a worker that runs the task hears of it within a second of the commit.
//
//	tx, err := pool.Begin(ctx)
//	…
//	_, err = mail.DelaySendWelcome(postgres.WithTx(ctx, tx), args)
//	…
//	err = tx.Commit(ctx)
//
// The user of the connection needs the privileges INSERT and SELECT on the tables of
// dtask; its search path does not matter. As with every statement of PostgreSQL, an
// error of Delay spoils the transaction, but that of a duplicate does not. While tx is
// open, whoever enqueues another message with an id that it has enqueued waits.
//
// A client of another broker, or of another database, refuses to enqueue in this
// context with [broker.ErrTransaction].
func WithTx(ctx context.Context, tx pgx.Tx) context.Context {
	if tx == nil {
		return broker.WithTransaction(ctx, userTx{})
	}
	return broker.WithTransaction(ctx, userTx{pgxTx{tx}})
}

// WithSQLTx is [WithTx] for a transaction of database/sql. Its driver may be that of
// pgx (package stdlib) or lib/pq.
func WithSQLTx(ctx context.Context, tx *sql.Tx) context.Context {
	if tx == nil {
		return broker.WithTransaction(ctx, userTx{})
	}
	return broker.WithTransaction(ctx, userTx{sqlTx{tx}})
}

// userTx is a transaction of the application.
type userTx struct{ transaction }

// transaction is what is needed of one.
type transaction interface {
	// exec executes a statement once for each list of arguments, and returns how
	// many rows each has inserted.
	exec(ctx context.Context, sql string, args [][]any) ([]int64, error)

	// text returns the text that a query results in.
	text(ctx context.Context, sql string, args ...any) (string, error)
}

// EnqueueTx implements [broker.Transactor].
func (b *Broker) EnqueueTx(ctx context.Context, tx any, ms []*broker.Message) []error {
	in := newInsert(ms)
	u, err := b.usable(tx)
	if err != nil {
		in.fail(err)
		return in.errs
	}
	b.enqueueIn(ctx, u, in)
	return in.errs
}

func (b *Broker) enqueueIn(ctx context.Context, u userTx, in *insert) {
	var args [][]any
	for i, m := range in.ms {
		if m == nil {
			continue
		}
		row, err := argsOfOne(m)
		if err != nil {
			in.errs[i], in.ms[i] = err, nil
			continue
		}
		args = append(args, append(row, b.place.store))
	}
	if len(args) == 0 {
		return
	}
	counts, err := u.exec(ctx, b.in(insertOne), args)
	if err != nil {
		in.fail(b.inTx(err))
		return
	}
	ms, n := in.open(), 0
	for i, m := range in.ms {
		if m == nil {
			continue
		}
		if counts[n] == 0 {
			if err := b.checkStore(ctx, u); err != nil {
				in.fail(err)
				return
			}
			in.errs[i] = broker.ErrDuplicate
		}
		in.ms[i] = nil
		n++
	}
	b.notifier.laterFor(ms)
}

// inTx explains an error of the application's connection, whose driver may have
// errors of its own.
func (b *Broker) inTx(err error) error {
	if text := err.Error(); strings.Contains(text, codeNoTable) || strings.Contains(text, "does not exist") {
		return fmt.Errorf("%w: it is on a database without the tables %s, the broker on %s; open both on one database (%w)",
			broker.ErrTransaction, b.table("*"), b.where, oneLine(err))
	}
	return fmt.Errorf("in the transaction of the application: %w", oneLine(err))
}

// checkStore makes sure that the transaction is on the broker's database: a message in
// another one would not run.
func (b *Broker) checkStore(ctx context.Context, u userTx) error {
	store, err := u.text(ctx, b.in("SELECT store::text FROM dtask_schema"))
	if err != nil {
		return b.inTx(err)
	}
	if store != b.place.store {
		return fmt.Errorf("%w: its tables %s are not those of the broker on %s; open both on one database", broker.ErrTransaction, b.table("*"), b.where)
	}
	return nil
}

type pgxTx struct{ tx pgx.Tx }

func (t pgxTx) exec(ctx context.Context, sql string, args [][]any) (counts []int64, err error) {
	var batch pgx.Batch
	for _, a := range args {
		batch.Queue(sql, a...)
	}
	results := t.tx.SendBatch(ctx, &batch)
	for range args {
		tag, err := results.Exec()
		if err != nil {
			return nil, errors.Join(err, results.Close())
		}
		counts = append(counts, tag.RowsAffected())
	}
	return counts, results.Close()
}

func (t pgxTx) text(ctx context.Context, sql string, args ...any) (s string, err error) {
	return s, t.tx.QueryRow(ctx, sql, args...).Scan(&s)
}

type sqlTx struct{ tx *sql.Tx }

func (t sqlTx) exec(ctx context.Context, sql string, args [][]any) (counts []int64, err error) {
	for _, a := range args {
		result, err := t.tx.ExecContext(ctx, sql, a...)
		if err != nil {
			return nil, err
		}
		n, err := result.RowsAffected()
		if err != nil {
			return nil, err
		}
		counts = append(counts, n)
	}
	return counts, nil
}

func (t sqlTx) text(ctx context.Context, sql string, args ...any) (s string, err error) {
	return s, t.tx.QueryRowContext(ctx, sql, args...).Scan(&s)
}
