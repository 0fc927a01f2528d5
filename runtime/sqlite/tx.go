package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"os"

	dtask "github.com/dtaskhq/dtask/runtime"
)

// WithTx returns a context in which tasks are enqueued through tx, a
// transaction of the application on the broker's own file: they are committed
// with it, and gone if it is rolled back.
//
//	tx, err := db.BeginTx(ctx, nil)
//	…
//	_, err = mail.DelaySendWelcome(sqlite.WithTx(ctx, tx), args)
//	…
//	err = tx.Commit()
//
// Any driver of SQLite will do; how durable the commit is, is a matter of the
// application's connection (PRAGMA synchronous). The tables are there once the broker has been
// opened, by [dtask.Open] or [Open]. While tx is open and has written, other
// writers of the file wait: a Delay without WithTx, in between, would wait for
// tx until it fails.
//
// A client of another broker, or of another file, refuses to enqueue in this
// context ([dtask.ErrTransaction]).
func WithTx(ctx context.Context, tx *sql.Tx) context.Context {
	return dtask.WithTransaction(ctx, &userTx{tx})
}

// userTx is a transaction of the application.
type userTx struct{ tx *sql.Tx }

// insert inserts messages through the transaction.
func (u *userTx) insert(ctx context.Context, file string, in *insert) []error {
	if err := u.check(ctx, file); err != nil {
		return failAll(in.errs, err)
	}
	for i := range in.records {
		in.errs[i] = u.insertOne(ctx, &in.records[i])
	}
	return in.errs
}

func (u *userTx) insertOne(ctx context.Context, r *record) error {
	args := make([]any, len(r))
	for i, v := range r {
		args[i] = v
	}
	result, err := u.tx.ExecContext(ctx, insertMessage, args...)
	if err != nil {
		return fmt.Errorf("in the transaction of the application: %w", err)
	}
	if n, err := result.RowsAffected(); err == nil && n == 0 {
		return dtask.ErrDuplicate
	}
	return nil
}

// check makes sure that the transaction is on the broker's file: a message in
// another file would never run.
func (u *userTx) check(ctx context.Context, file string) error {
	if u.tx == nil {
		return fmt.Errorf("%w: it is nil", dtask.ErrTransaction)
	}
	var name sql.NullString
	err := u.tx.QueryRowContext(ctx, "SELECT file FROM pragma_database_list WHERE name = 'main'").Scan(&name)
	if err != nil {
		return fmt.Errorf("in the transaction of the application: %w", err)
	}
	theirs, err1 := os.Stat(name.String)
	ours, err2 := os.Stat(file)
	if err1 != nil || err2 != nil || !os.SameFile(theirs, ours) {
		return fmt.Errorf("%w: it is on database %q, the broker on %q; open both on one file", dtask.ErrTransaction, name.String, file)
	}
	return nil
}
