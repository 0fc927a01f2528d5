package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"strings"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// WithTx returns a context in which Delay enqueues in tx, a transaction of your
// application on the file of the broker. The task is there when tx is committed,
// and gone when tx is rolled back.
//
//	db, err := sql.Open("sqlite", "file:tasks.db?_txlock=immediate&_pragma=busy_timeout(5000)")
//	…
//	tx, err := db.BeginTx(ctx, nil)
//	…
//	_, err = mail.DelaySendWelcome(sqlite.WithTx(ctx, tx), args)
//	…
//	err = tx.Commit()
//
// Both settings are needed. With _txlock=immediate the transaction takes the lock
// for writing when it begins, and waits for it as long as busy_timeout says.
// Without it, SQLite takes the lock at the first write. If the transaction has read
// before, and another writer has committed since, such as the broker, that write
// fails at once: no timeout helps.
//
// The driver must be modernc.org/sqlite, or one that is built on
// modernc.org/sqlite/lib: see the package comment. Your connection decides how safe
// the commit is (PRAGMA synchronous). Open the broker first, as that makes the
// tables. While tx is open and has written, other writers wait. So do not call
// Delay without WithTx in between: it would wait for tx until it fails.
//
// A client of another broker, or of another file, refuses to enqueue in this
// context with [broker.ErrTransaction].
func WithTx(ctx context.Context, tx *sql.Tx) context.Context {
	return broker.WithTransaction(ctx, &userTx{tx})
}

// userTx is a transaction of the application.
type userTx struct{ tx *sql.Tx }

// EnqueueTx implements [broker.Transactor].
func (b *Broker) EnqueueTx(ctx context.Context, tx any, ms []*broker.Message) []error {
	in := insertOf(ms)
	u, ok := tx.(*userTx)
	if !ok {
		return in.fail(fmt.Errorf("%w: it is not from WithTx of package sqlite", broker.ErrTransaction))
	}
	if err := b.writer.usable(); err != nil {
		return in.fail(err)
	}
	if err := u.check(ctx, b); err != nil {
		return in.fail(err)
	}
	for _, m := range in.appendTo(nil) {
		*m.err = u.insertOne(ctx, b, m)
	}
	return in.errs
}

func (u *userTx) insertOne(ctx context.Context, b *Broker, m storing) error {
	var args []any
	for _, v := range whole.appendArgs(nil, []storing{m}) {
		args = append(args, v)
	}
	result, err := u.tx.ExecContext(ctx, inNamespace(b.namespace, whole.sql[1]), args...)
	if err != nil {
		return inTx(err)
	}
	if n, err := result.RowsAffected(); err == nil && n == 0 {
		return broker.ErrDuplicate
	}
	return nil
}

// inTx explains an error of the application's connection, whose driver may have
// errors of its own.
func inTx(err error) error {
	if strings.Contains(err.Error(), "database is locked") {
		return fmt.Errorf("in the transaction of the application: another one writes, or has written since this one read; "+
			"begin with BEGIN IMMEDIATE (_txlock=immediate) and set a busy_timeout, see sqlite.WithTx (%w)", err)
	}
	return fmt.Errorf("in the transaction of the application: %w", err)
}

// library names the SQLite library of a connection: its source, and how it was
// compiled.
const library = "sqlite_source_id() || (SELECT group_concat(compile_options) FROM pragma_compile_options)"

// check makes sure that the transaction is on the broker's file, for a message in
// another file would never run, and through the broker's library: when another
// one in this process closes the file, that drops the broker's locks.
func (u *userTx) check(ctx context.Context, b *Broker) error {
	if u.tx == nil {
		return fmt.Errorf("%w: it is nil", broker.ErrTransaction)
	}
	var file, theirLibrary sql.NullString
	err := u.tx.QueryRowContext(ctx, "SELECT file, "+library+" FROM pragma_database_list WHERE name = 'main'").Scan(&file, &theirLibrary)
	if err != nil {
		return inTx(err)
	}
	theirs, err1 := os.Stat(file.String)
	ours, err2 := os.Stat(b.file)
	if err1 != nil || err2 != nil || !os.SameFile(theirs, ours) {
		return fmt.Errorf("%w: it is on database %q, the broker on %q; open both on one file", broker.ErrTransaction, file.String, b.file)
	}
	if theirLibrary.String != b.library {
		return fmt.Errorf("%w: its driver has an SQLite library of its own, and two of them in one process damage a file (howtocorrupt.html, 2.2); open %q with the driver modernc.org/sqlite", broker.ErrTransaction, b.file)
	}
	return nil
}
