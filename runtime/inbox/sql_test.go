package inbox_test

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"github.com/dtaskhq/dtask/internal/testenv/postgrestest"
	"github.com/dtaskhq/dtask/runtime/dtask"
	"github.com/dtaskhq/dtask/runtime/inbox"
)

// openSQLite returns a database with a table of effects.
func openSQLite(t *testing.T) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(t.TempDir(), "shop.db")+"?_txlock=immediate&_pragma=busy_timeout(10000)&_pragma=journal_mode(wal)")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// databases are those that the tests run on.
func databases(t *testing.T, test func(t *testing.T, db *sql.DB)) {
	t.Run("SQLite", func(t *testing.T) { t.Parallel(); test(t, openSQLite(t)) })
	t.Run("PostgreSQL", func(t *testing.T) {
		t.Parallel()
		db, err := sql.Open("pgx", postgrestest.Database(t))
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		test(t, db)
	})
}

func mustExec(t *testing.T, db *sql.DB, statement string) {
	t.Helper()
	if _, err := db.ExecContext(t.Context(), statement); err != nil {
		t.Fatal(err)
	}
}

func count(t *testing.T, db *sql.DB, query string) (n int) {
	t.Helper()
	if err := db.QueryRowContext(t.Context(), query).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// charge has an effect.
func charge(ctx context.Context, tx *sql.Tx) ([]byte, error) {
	_, err := tx.ExecContext(ctx, "INSERT INTO charges VALUES (1)")
	return []byte(`"receipt"`), err
}

func TestOnce(t *testing.T) {
	databases(t, func(t *testing.T, db *sql.DB) {
		mustExec(t, db, "CREATE TABLE charges (n INTEGER)")
		in := inbox.SQL(db)
		once := func(task, id string, f func(context.Context, *sql.Tx) ([]byte, error)) (string, error) {
			result, err := in.Once(t.Context(), dtask.OnceKey{Store: "here", Task: task, ID: id}, f)
			return string(result), err
		}
		broken := errors.New("no money")
		if _, err := once("shop.Charge", "1", func(ctx context.Context, tx *sql.Tx) ([]byte, error) {
			charge(ctx, tx)
			return nil, broken
		}); !errors.Is(err, broken) {
			t.Errorf("a failed attempt: %v, want its own error", err)
		}
		func() {
			defer func() {
				if recover() == nil {
					t.Error("the panic of the function is gone")
				}
			}()
			once("shop.Charge", "1", func(ctx context.Context, tx *sql.Tx) ([]byte, error) {
				charge(ctx, tx)
				panic("out of paper")
			})
		}()
		if n := count(t, db, "SELECT count(*) FROM charges"); n != 0 {
			t.Fatalf("%d effects of attempts that failed", n)
		}
		for range 3 {
			if result, err := once("shop.Charge", "1", charge); err != nil || result != `"receipt"` {
				t.Errorf("Once: %q, %v, want the result, also of an earlier delivery", result, err)
			}
		}
		for _, other := range []dtask.OnceKey{
			{Store: "here", Task: "shop.Charge", ID: "2"},
			{Store: "here", Task: "shop.Refund", ID: "1"},
			{Store: "there", Task: "shop.Charge", ID: "1"}, // another service on this database
		} {
			if _, err := in.Once(t.Context(), other, charge); err != nil {
				t.Error(err)
			}
		}
		if n := count(t, db, "SELECT count(*) FROM charges"); n != 4 {
			t.Errorf("%d effects, want one for each of four messages", n)
		}
	})
}

// Several processes get the same messages at the same time, before anybody has made
// the table.
func TestOnceTogether(t *testing.T) {
	databases(t, func(t *testing.T, db *sql.DB) {
		mustExec(t, db, "CREATE TABLE charges (n INTEGER)")
		var calls atomic.Int64
		var all sync.WaitGroup
		for range 4 {
			in := inbox.SQL(db)
			all.Go(func() {
				for _, id := range []string{"a", "b", "c", "d", "e"} {
					if _, err := in.Once(t.Context(), dtask.OnceKey{Store: "here", Task: "shop.Charge", ID: id}, func(ctx context.Context, tx *sql.Tx) ([]byte, error) {
						calls.Add(1)
						return charge(ctx, tx)
					}); err != nil {
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
		if n := count(t, db, "SELECT count(*) FROM charges"); n != 5 || calls.Load() != 5 {
			t.Errorf("%d effects of %d calls, want 5 of 5", n, calls.Load())
		}
	})
}

// Rows that are older than a month go, more of them than come.
func TestOnceExpires(t *testing.T) {
	databases(t, func(t *testing.T, db *sql.DB) {
		in := inbox.SQL(db)
		nothing := func(context.Context, *sql.Tx) ([]byte, error) { return nil, nil }
		for i := range 200 {
			if _, err := in.Once(t.Context(), dtask.OnceKey{Store: "here", Task: "shop.Charge", ID: strings.Repeat("x", i)}, nothing); err != nil {
				t.Fatal(err)
			}
			if i == 98 {
				mustExec(t, db, "UPDATE dtask_inbox SET done = 0 WHERE id <> ''")
			}
		}
		if n := count(t, db, "SELECT count(*) FROM dtask_inbox"); n != 102 {
			t.Errorf("%d rows are left, want the 102 that are young", n)
		}
	})
}

// What a function does wrong with its transaction is said.
func TestOnceMisused(t *testing.T) {
	databases(t, func(t *testing.T, db *sql.DB) {
		mustExec(t, db, "CREATE TABLE charges (n INTEGER)")
		in := inbox.SQL(db)
		_, err := in.Once(t.Context(), dtask.OnceKey{Store: "here", Task: "shop.Charge", ID: "1"}, func(ctx context.Context, tx *sql.Tx) ([]byte, error) {
			charge(ctx, tx)
			return nil, tx.Commit()
		})
		if err == nil || !strings.Contains(err.Error(), "leave Commit and Rollback to the worker") {
			t.Errorf("a function that commits: %v", err)
		}
		if _, err := in.Once(t.Context(), dtask.OnceKey{Store: "here", Task: "shop.Charge", ID: "1"}, charge); err != nil {
			t.Error(err)
		}
		if n := count(t, db, "SELECT count(*) FROM charges"); n != 1 {
			t.Errorf("%d effects, want 1", n)
		}
	})
}

// A database that is away is not mistaken for one without the table.
func TestDatabaseAway(t *testing.T) {
	db, err := sql.Open("pgx", "postgres://shop@127.0.0.1:1/shop")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	_, err = inbox.SQL(db).Once(t.Context(), dtask.OnceKey{}, charge)
	if err == nil || !strings.HasPrefix(err.Error(), "inbox: the database does not answer: ") {
		t.Errorf("error %v", err)
	}
}

func TestNoDatabase(t *testing.T) {
	task := dtask.Define[struct{}, dtask.None]("shop.Charge", dtask.Spec{Queue: "default"})
	bound := dtask.BindTx(task, inbox.SQL(nil), func(context.Context, *sql.Tx, struct{}) (dtask.None, error) { return dtask.None{}, nil })
	const want = `task "shop.Charge": Tasks was given no database for its transaction; pass inbox.SQL(db), say`
	if _, err := bound.Run(t.Context(), []byte("{}")); err == nil || err.Error() != want {
		t.Errorf("Run: %v, want %s", err, want)
	}
	if _, err := dtask.NewWorker(dtask.NewClient(nil), dtask.WorkerConfig{}, dtask.Table{bound}); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("NewWorker: %v, want %s", err, want)
	}
}
