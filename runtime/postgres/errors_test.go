package postgres

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/dtaskhq/dtask/internal/testenv/postgresnode"
	"github.com/dtaskhq/dtask/internal/testenv/postgrestest"
	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/brokertest"
)

// What keeps a database from being used is said in one line, with what to do.
func TestOpenErrors(t *testing.T) {
	t.Parallel()
	server := postgrestest.Server(t)
	latin := postgrestest.Database(t)
	postgrestest.Exec(t, server, "DROP DATABASE "+name(latin))
	postgrestest.Exec(t, server, "CREATE DATABASE "+name(latin)+" ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
	for url, want := range map[string]string{
		postgresnode.Database(server, "nowhere"):                   "there is no such database",
		strings.Replace(server, "postgres@", "nobody_known@", 1):   "refuses this user",
		server + "&namspace=shop":                                  "parameter that is unknown",
		server + "&default_transaction_read_only=on&schema=closed": "read-only",
		"postgres://postgres@127.0.0.1:1/postgres":                 "127.0.0.1:1",
		latin:                           "make a database with ENCODING 'UTF8'",
		server + "&search_path=nowhere": "name one in the URL with schema=",
	} {
		_, err := Open(testContext(t), url, broker.Config{})
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: error %v, want %s", url, err, want)
		}
	}
}

// name returns the name of the database of a URL.
func name(url string) string {
	_, rest, _ := strings.Cut(strings.TrimPrefix(url, "postgres://"), "/")
	name, _, _ := strings.Cut(rest, "?")
	return name
}

// A table that is gone is an error at once; a server that is read-only for a while is
// waited for. Afterwards work goes on.
func TestTroubleAndRecovery(t *testing.T) {
	t.Parallel()
	database := postgrestest.Database(t)
	b := openBroker(t, database)
	c := brokertest.Consume(t, b, "q", 1)
	brokertest.Drained(t, b, c, "q")

	exec(t, b, "ALTER TABLE dtask_messages RENAME TO gone")
	if err := b.Enqueue(testContext(t), newMessage("q")); err == nil || !strings.Contains(err.Error(), "dtask migrate check") {
		t.Errorf("enqueue without a table: %v", err)
	}
	postgrestest.Exec(t, database, "ALTER TABLE gone RENAME TO dtask_messages")
	brokertest.Drained(t, b, c, "q")

	postgrestest.Exec(t, postgrestest.Server(t), "ALTER DATABASE "+name(database)+" SET default_transaction_read_only = on")
	postgrestest.Exec(t, postgrestest.Server(t), "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '"+name(database)+"'")
	brokertest.Eventually(t, func() string {
		ctx, cancel := context.WithTimeout(testContext(t), 200*time.Millisecond)
		defer cancel()
		if err := b.Enqueue(ctx, newMessage("other")); err == nil || !strings.Contains(err.Error(), "read-only") {
			return "enqueue on a read-only server: " + errText(err)
		}
		return ""
	})
	postgrestest.Exec(t, postgrestest.Server(t), "ALTER DATABASE "+name(database)+" RESET default_transaction_read_only")
	brokertest.Drained(t, b, c, "q")
}

func errText(err error) string {
	if err == nil {
		return "no error"
	}
	return err.Error()
}

// A message that PostgreSQL cannot hold fails alone.
func TestUnstorable(t *testing.T) {
	t.Parallel()
	b := openBroker(t, postgrestest.URL(t))
	good, bad, older := newMessage("q"), newMessage("q"), newMessage("q")
	bad.ID = "a\x00b"
	older.EnqueuedAt = time.Date(-4800, 1, 1, 0, 0, 0, 0, time.UTC) // PostgreSQL begins in -4712
	errs := b.EnqueueMany(testContext(t), []*broker.Message{bad, good})
	if errs[0] == nil || !strings.Contains(errs[0].Error(), "no zero byte") || errs[1] != nil {
		t.Errorf("errors %v", errs)
	}
	if err := b.Enqueue(testContext(t), older); err == nil {
		t.Error("a time that PostgreSQL does not have is stored")
	}
	c := brokertest.Consume(t, b, "q", 1)
	brokertest.Receive(t, c).Settle(broker.Settlement{Verdict: broker.Done})
	brokertest.Drained(t, b, c, "q")
}

// A row that others have written, and that cannot be read, becomes a dead letter that
// says so.
func TestDamagedRow(t *testing.T) {
	t.Parallel()
	b := openBroker(t, postgrestest.URL(t))
	exec(t, b, "INSERT INTO dtask_messages (id, task, queue, headers) VALUES ('1', 't', 'q', 'no JSON')")
	c := brokertest.Consume(t, b, "q", 1)
	brokertest.Eventually(t, func() string {
		dead, err := b.DeadLetters(testContext(t), "q", 10)
		if err != nil || len(dead) != 1 || len(dead[0].Failures) != 1 || !strings.Contains(dead[0].Failures[0].Error, "headers is \"no JSON\"") {
			return "no dead letter that says what is damaged"
		}
		return ""
	})
	brokertest.Drained(t, b, c, "q")
}
