package postgres_test

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5"
	_ "github.com/jackc/pgx/v5/stdlib"
	_ "github.com/lib/pq"

	"github.com/dtaskhq/dtask/internal/testenv/postgrestest"
	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/brokertest"
	"github.com/dtaskhq/dtask/runtime/dtask"
	"github.com/dtaskhq/dtask/runtime/postgres"
)

type numbers struct {
	N int `json:"n"`
}

var count = dtask.Define[numbers, dtask.None]("pkg.Count", dtask.Spec{Queue: "work", Schema: "n int"})

func open(t *testing.T, url string) *postgres.Broker {
	t.Helper()
	b, err := postgres.Open(brokertest.Context(t), url, broker.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return b
}

// transactions begin a transaction of each interface.
func transactions(t *testing.T, url string) map[string]func(context.Context) (in context.Context, end func(commit bool) error) {
	t.Helper()
	config, err := pgx.ParseConfig(url)
	if err != nil {
		t.Fatal(err)
	}
	return map[string]func(context.Context) (context.Context, func(bool) error){
		"pgx": func(ctx context.Context) (context.Context, func(bool) error) {
			conn, err := pgx.ConnectConfig(ctx, config)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { conn.Close(context.Background()) })
			tx, err := conn.Begin(ctx)
			if err != nil {
				t.Fatal(err)
			}
			return postgres.WithTx(ctx, tx), func(commit bool) error {
				if commit {
					return tx.Commit(ctx)
				}
				return tx.Rollback(ctx)
			}
		},
		"database/sql with pgx":    onSQL(t, "pgx", url),
		"database/sql with lib/pq": onSQL(t, "postgres", url),
	}
}

// onSQL begins transactions of database/sql.
func onSQL(t *testing.T, driver, url string) func(context.Context) (context.Context, func(bool) error) {
	t.Helper()
	db, err := sql.Open(driver, url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return func(ctx context.Context) (context.Context, func(bool) error) {
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			t.Fatal(err)
		}
		return postgres.WithSQLTx(ctx, tx), func(commit bool) error {
			if commit {
				return tx.Commit()
			}
			return tx.Rollback()
		}
	}
}

// Tasks of a transaction are there when it is committed, and gone when it is rolled
// back. A duplicate does not spoil it.
func TestTransaction(t *testing.T) {
	t.Parallel()
	b := open(t, postgrestest.URL(t))
	ctx := dtask.NewContext(brokertest.Context(t), dtask.NewClient(b))
	c := brokertest.Consume(t, b, "work", 5)
	for name, begin := range transactions(t, postgrestest.Server(t)) {
		for _, commit := range []bool{false, true} {
			in, end := begin(ctx)
			if _, err := count.Delay(in, numbers{1}, dtask.ID("one")); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if _, err := count.Delay(in, numbers{2}, dtask.ID("one")); !errors.Is(err, dtask.ErrDuplicate) {
				t.Errorf("%s: the same id: %v, want ErrDuplicate", name, err)
			}
			if _, err := dtask.DelayMany(in, count, []numbers{{3}, {4}}, dtask.Header("a", "ü")); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if s := brokertest.State(t, b, "work"); s.Ready > 0 {
				t.Errorf("%s: %+v before the end of the transaction", name, s)
			}
			if err := end(commit); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			var bodies []string
			for range 3 {
				if !commit {
					break
				}
				d := brokertest.Receive(t, c)
				bodies = append(bodies, string(d.Message().Body))
				d.Settle(broker.Settlement{Verdict: broker.Done})
			}
			slices.Sort(bodies)
			if want := []string{`{"n":1}`, `{"n":3}`, `{"n":4}`}; commit && !slices.Equal(bodies, want) {
				t.Errorf("%s: delivered %v, want %v", name, bodies, want)
			}
			brokertest.Drained(t, b, c, "work")
		}
	}
}

// A transaction on another database is refused, whether that has tables of dtask or
// not.
func TestTransactionElsewhere(t *testing.T) {
	t.Parallel()
	b := open(t, postgrestest.URL(t))
	ctx := dtask.NewContext(brokertest.Context(t), dtask.NewClient(b))
	elsewhere := postgrestest.Database(t)
	refused := func(what string, in context.Context) {
		t.Helper()
		if _, err := count.Delay(in, numbers{1}); !errors.Is(err, dtask.ErrTransaction) {
			t.Errorf("%s: %v, want ErrTransaction", what, err)
		}
	}
	for name, begin := range transactions(t, elsewhere) {
		in, end := begin(ctx)
		refused(name, in)
		end(false)
	}
	refused("nil", postgres.WithTx(ctx, nil))
	refused("nil", postgres.WithSQLTx(ctx, (*sql.Tx)(nil)))
	brokertest.Drained(t, b, brokertest.Consume(t, b, "work", 1), "work")

	same := open(t, elsewhere+"&schema=shop") // the same names, but another store
	other := open(t, postgrestest.Database(t)+"&schema=shop")
	for name, begin := range transactions(t, elsewhere) {
		in, end := begin(dtask.NewContext(ctx, dtask.NewClient(other)))
		refused(name, in)
		end(false)
	}
	brokertest.Drained(t, same, brokertest.Consume(t, same, "work", 1), "work")
}

// Whoever enqueues an id that a transaction holds waits for its end, and nobody else
// does.
func TestTransactionHoldsID(t *testing.T) {
	t.Parallel()
	b := open(t, postgrestest.URL(t))
	ctx := dtask.NewContext(brokertest.Context(t), dtask.NewClient(b))
	in, end := transactions(t, postgrestest.Server(t))["pgx"](ctx)
	if _, err := count.Delay(in, numbers{1}, dtask.ID("held")); err != nil {
		t.Fatal(err)
	}
	same := make(chan error, 20)
	for range cap(same) {
		go func() {
			_, err := count.Delay(ctx, numbers{2}, dtask.ID("held"))
			same <- err
		}()
	}
	for range 100 {
		if _, err := count.Delay(ctx, numbers{3}); err != nil {
			t.Fatal(err)
		}
	}
	select {
	case err := <-same:
		t.Errorf("the outcome is known before the end of the transaction: %v", err)
	default:
	}
	if err := end(true); err != nil {
		t.Fatal(err)
	}
	for range cap(same) {
		if err := <-same; !errors.Is(err, dtask.ErrDuplicate) {
			t.Errorf("error %v, want ErrDuplicate", err)
		}
	}
}
