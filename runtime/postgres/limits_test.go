package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/dtaskhq/dtask/internal/testenv/postgresnode"
	"github.com/dtaskhq/dtask/internal/testenv/postgrestest"
	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/brokertest"
)

// fails waits until an enqueue with little time fails with an error that says why.
func fails(t *testing.T, b *Broker, want string) {
	t.Helper()
	brokertest.Eventually(t, func() string {
		ctx, cancel := context.WithTimeout(testContext(t), 300*time.Millisecond)
		defer cancel()
		err := b.Enqueue(ctx, newMessage("unconsumed"))
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			return fmt.Sprintf("%s, want %s", errText(err), want)
		}
		return ""
	})
}

// Somebody else takes all connections of the server, and those of the broker are cut: it
// waits for one, and goes on.
func TestConnectionsExhausted(t *testing.T) {
	t.Parallel()
	node := postgrestest.StartNode(t, postgresnode.Options{Config: "max_connections = 25"})
	b := openBroker(t, node.URL()+"&application_name="+t.Name())
	f := begin(t, b)
	killer := connect(t, b)
	var others []*pgx.Conn
	for taken := false; !taken; {
		if _, err := killer.Exec(testContext(t), "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1 AND pid <> pg_backend_pid()", t.Name()); err != nil {
			t.Fatal(err)
		}
		for {
			c, err := pgx.Connect(testContext(t), node.URL())
			if err != nil {
				taken = code(err) == codeManyConnections && len(others) > 20 // the broker has hardly any
				break
			}
			others = append(others, c)
		}
	}
	brokertest.Eventually(t, func() string {
		opened, err := Open(testContext(t), node.URL(), broker.Config{})
		if err == nil { // a backend that was ended has gone only now
			opened.Close()
			if c, err := pgx.Connect(testContext(t), node.URL()); err == nil {
				others = append(others, c)
			}
		}
		if text := errText(err); !strings.Contains(text, "raise max_connections") {
			return "open: " + text
		}
		return ""
	})
	for _, c := range others {
		c.Close(context.Background())
	}
	f.more(100)
	f.end()
}

// Statements that the server ends by its timeout, and a table that somebody holds, are
// waited for.
func TestTimeouts(t *testing.T) {
	t.Parallel()
	database := postgrestest.Database(t)
	b := openBroker(t, database)
	f := begin(t, b)
	holder := connect(t, b)
	cut := func(setting string) {
		postgrestest.Exec(t, postgrestest.Server(t), "ALTER DATABASE "+name(database)+setting)
		postgrestest.Exec(t, postgrestest.Server(t), "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '"+name(database)+"' AND pid <> $1::int", int32(holder.PgConn().PID()))
	}
	for _, setting := range []string{"statement_timeout = '100ms'", "lock_timeout = '100ms'"} {
		cut(" SET " + setting)
		hold, err := holder.Begin(testContext(t))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := hold.Exec(testContext(t), "LOCK TABLE dtask_messages IN ACCESS EXCLUSIVE MODE"); err != nil {
			t.Fatal(err)
		}
		fails(t, b, "no answer")
		if err := hold.Rollback(testContext(t)); err != nil {
			t.Fatal(err)
		}
		f.more(100)
		cut(" RESET ALL")
		f.more(100)
	}
	f.end()
}

// Two transactions of the application contradict each other: one fails at its commit, or
// before, with the error of PostgreSQL, and is done again. Each task is there once.
func TestSerializationFailure(t *testing.T) {
	t.Parallel()
	database := postgrestest.Database(t)
	b := openBroker(t, database)
	setUp := connect(t, b)
	if _, err := setUp.Exec(testContext(t), "CREATE TABLE stock (n int); INSERT INTO stock VALUES (0)"); err != nil {
		t.Fatal(err)
	}
	const workers, each = 4, 10
	failures := make(chan int)
	for range workers {
		go func() {
			failed := 0
			defer func() { failures <- failed }()
			conn, err := pgx.Connect(testContext(t), database)
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close(context.Background())
			for range each {
				for done := false; !done; {
					err := pgx.BeginTxFunc(testContext(t), conn, pgx.TxOptions{IsoLevel: pgx.Serializable}, func(tx pgx.Tx) error {
						var n int
						if err := tx.QueryRow(testContext(t), "SELECT n FROM stock").Scan(&n); err != nil {
							return err
						}
						if err := errors.Join(b.EnqueueTx(testContext(t), broker.Transaction(WithTx(t.Context(), tx)), []*broker.Message{newMessage("q")})...); err != nil {
							return err
						}
						_, err := tx.Exec(testContext(t), "UPDATE stock SET n = $1", n+1)
						return err
					})
					var pg *pgconn.PgError
					switch {
					case err == nil:
						done = true
					case errors.As(err, &pg) && pg.Code == "40001":
						failed++
					default:
						t.Error(err)
						return
					}
				}
			}
		}()
	}
	all := 0
	for range workers {
		all += <-failures
	}
	var n int
	if err := setUp.QueryRow(testContext(t), "SELECT n FROM stock").Scan(&n); err != nil || n != workers*each {
		t.Errorf("%d done, %v", n, err)
	}
	if s := brokertest.State(t, b, "q"); s.Ready != workers*each {
		t.Errorf("%+v after %d failures, want %d messages", s, all, workers*each)
	}
	t.Logf("%d transactions failed", all)
}
