package pgxinbox_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/dtaskhq/dtask/internal/testenv/postgrestest"
	"github.com/dtaskhq/dtask/runtime/dtask"
	"github.com/dtaskhq/dtask/runtime/inbox/pgxinbox"
)

// Of many deliveries of two messages, at the same time and one after the other, one each
// has an effect; an attempt that fails has none.
func TestOnce(t *testing.T) {
	ctx := t.Context()
	pool, err := pgxpool.New(ctx, postgrestest.Database(t))
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	if _, err := pool.Exec(ctx, "CREATE TABLE charges (n INTEGER)"); err != nil {
		t.Fatal(err)
	}
	charge := func(ctx context.Context, tx pgx.Tx) ([]byte, error) {
		_, err := tx.Exec(ctx, "INSERT INTO charges VALUES (1)")
		return []byte(`"receipt"`), err
	}
	broken := errors.New("no money")
	if _, err := pgxinbox.Pool(pool).Once(ctx, dtask.OnceKey{Store: "here", Task: "shop.Charge", ID: "a"}, func(ctx context.Context, tx pgx.Tx) ([]byte, error) {
		charge(ctx, tx)
		return nil, broken
	}); !errors.Is(err, broken) {
		t.Errorf("a failed attempt: %v", err)
	}
	_, err = pgxinbox.Pool(pool).Once(ctx, dtask.OnceKey{Store: "here", Task: "shop.Charge", ID: "c"}, func(ctx context.Context, tx pgx.Tx) ([]byte, error) { return nil, tx.Rollback(ctx) })
	if err == nil || !strings.Contains(err.Error(), "leave Commit and Rollback to the worker") {
		t.Errorf("a function that rolls back: %v", err)
	}
	var calls atomic.Int64
	var all sync.WaitGroup
	for range 3 {
		in := pgxinbox.Pool(pool)
		all.Go(func() {
			for _, id := range []string{"a", "b", "a"} {
				result, err := in.Once(ctx, dtask.OnceKey{Store: "here", Task: "shop.Charge", ID: id}, func(ctx context.Context, tx pgx.Tx) ([]byte, error) {
					calls.Add(1)
					return charge(ctx, tx)
				})
				if err != nil || string(result) != `"receipt"` {
					t.Errorf("message %s: %q, %v", id, result, err)
				}
			}
		})
	}
	all.Wait()
	var n int
	if err := pool.QueryRow(ctx, "SELECT count(*) FROM charges").Scan(&n); err != nil || n != 2 || calls.Load() != 2 {
		t.Errorf("%d effects of %d calls, %v; want 2 of 2", n, calls.Load(), err)
	}
	if pgxinbox.Pool(nil) != nil {
		t.Error("a nil pool is a database")
	}
}
