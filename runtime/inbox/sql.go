package inbox

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dtaskhq/dtask/runtime/dtask"
	"github.com/dtaskhq/dtask/runtime/inbox/internal/table"
)

// SQL returns the database for tasks that take a *sql.Tx. It is PostgreSQL or SQLite,
// with any driver. It returns nil for nil.
//
// With SQLite a transaction holds up all other writers of the file, the broker too if
// it is in the same file: keep such tasks short, and open the file with
// _txlock=immediate and a busy_timeout.
func SQL(db *sql.DB) dtask.Database[*sql.Tx] {
	if db == nil {
		return nil
	}
	return &sqlInbox{db: db}
}

type sqlInbox struct {
	db   *sql.DB
	done atomic.Int64 // messages since the start

	mu         sync.Mutex
	statements *table.Statements // nil until the table is known to be there
}

// Once implements [dtask.Database].
func (b *sqlInbox) Once(ctx context.Context, key dtask.OnceKey, f func(context.Context, *sql.Tx) ([]byte, error)) (result []byte, err error) {
	s, err := b.prepare(ctx)
	if err != nil {
		return nil, fmt.Errorf("inbox: %w", err)
	}
	tx, err := b.db.BeginTx(ctx, nil)
	if err != nil {
		return nil, fmt.Errorf("inbox: begin the transaction of the task: %w", err)
	}
	defer tx.Rollback() // also if f panics

	// The row comes first: another delivery of the message waits for it here.
	added, err := tx.ExecContext(ctx, s.Add, key.Store, key.Task, key.ID, time.Now().UnixMilli())
	if err != nil {
		return nil, fmt.Errorf("inbox: %w", err)
	}
	if n, err := added.RowsAffected(); err != nil || n == 0 {
		if err == nil {
			err = tx.QueryRowContext(ctx, s.Result, key.Store, key.Task, key.ID).Scan(&result)
		}
		return result, err
	}
	if result, err = f(ctx, tx); err != nil {
		return nil, err
	}
	if result != nil {
		if _, err := tx.ExecContext(ctx, s.Keep, string(result), key.Store, key.Task, key.ID); err != nil {
			return nil, ended("keep the result", err)
		}
	}
	if err := tx.Commit(); err != nil {
		return nil, ended("commit", err)
	}
	if b.done.Add(1)%table.ExpireEvery == 0 {
		b.db.ExecContext(ctx, s.Expire, time.Now().Add(-table.Kept).UnixMilli()) // or the next time
	}
	return result, nil
}

// ended explains an error after the function has returned.
func ended(what string, err error) error {
	if errors.Is(err, sql.ErrTxDone) {
		return fmt.Errorf("inbox: the transaction of the task has ended already; leave Commit and Rollback to the worker, and end within the timeout (%w)", err)
	}
	return fmt.Errorf("inbox: %s: %w", what, err)
}

// prepare returns the statements for the database. It makes the table if that is
// missing.
func (b *sqlInbox) prepare(ctx context.Context) (*table.Statements, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.statements != nil {
		return b.statements, nil
	}
	s := &table.Postgres
	var version string
	if b.db.QueryRowContext(ctx, "SELECT sqlite_version()").Scan(&version) == nil {
		s = &table.SQLite
	}
	if err := table.Create(ctx, b.exec); err != nil {
		return nil, err
	}
	b.statements = s
	return s, nil
}

func (b *sqlInbox) exec(ctx context.Context, statement string) error {
	_, err := b.db.ExecContext(ctx, statement)
	return err
}
