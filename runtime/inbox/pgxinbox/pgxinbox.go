// Package pgxinbox is package inbox for tasks that take a pgx.Tx.
package pgxinbox

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/dtaskhq/dtask/runtime/dtask"
	"github.com/dtaskhq/dtask/runtime/inbox/internal/table"
)

// Pool returns the database for tasks that take a pgx.Tx. It returns nil for nil.
func Pool(pool *pgxpool.Pool) dtask.Database[pgx.Tx] {
	if pool == nil {
		return nil
	}
	return &inbox{pool: pool}
}

type inbox struct {
	pool  *pgxpool.Pool
	there atomic.Bool  // the table is known to be there
	done  atomic.Int64 // messages since the start
}

// Once implements [dtask.Database].
func (b *inbox) Once(ctx context.Context, key dtask.OnceKey, f func(context.Context, pgx.Tx) ([]byte, error)) (result []byte, err error) {
	if !b.there.Load() {
		if err := table.Create(ctx, b.exec); err != nil {
			return nil, fmt.Errorf("inbox: %w", err)
		}
		b.there.Store(true)
	}
	s := table.Postgres
	tx, err := b.pool.Begin(ctx)
	if err != nil {
		return nil, fmt.Errorf("inbox: begin the transaction of the task: %w", err)
	}
	defer tx.Rollback(context.WithoutCancel(ctx)) // also if f panics

	// The row comes first: another delivery of the message waits for it here.
	added, err := tx.Exec(ctx, s.Add, key.Store, key.Task, key.ID, time.Now().UnixMilli())
	if err != nil {
		return nil, fmt.Errorf("inbox: %w", err)
	}
	if added.RowsAffected() == 0 {
		err := tx.QueryRow(ctx, s.Result, key.Store, key.Task, key.ID).Scan(&result)
		return result, err
	}
	if result, err = f(ctx, tx); err != nil {
		return nil, err
	}
	if result != nil {
		if _, err := tx.Exec(ctx, s.Keep, string(result), key.Store, key.Task, key.ID); err != nil {
			return nil, ended("keep the result", err)
		}
	}
	if err := tx.Commit(ctx); err != nil {
		return nil, ended("commit", err)
	}
	if b.done.Add(1)%table.ExpireEvery == 0 {
		b.pool.Exec(ctx, s.Expire, time.Now().Add(-table.Kept).UnixMilli()) // or the next time
	}
	return result, nil
}

// ended explains an error after the function has returned.
func ended(what string, err error) error {
	if errors.Is(err, pgx.ErrTxClosed) {
		return fmt.Errorf("inbox: the transaction of the task has ended already; leave Commit and Rollback to the worker, and end within the timeout (%w)", err)
	}
	return fmt.Errorf("inbox: %s: %w", what, err)
}

func (b *inbox) exec(ctx context.Context, statement string) error {
	_, err := b.pool.Exec(ctx, statement)
	return err
}
