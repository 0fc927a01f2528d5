package sqlite

import (
	"database/sql"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// appDB opens the file as the application does.
func appDB(t *testing.T, file string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", at(file).dsn()+"?_pragma=busy_timeout(5000)&_txlock=immediate")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// A message enqueued in the application's transaction is delivered when that
// commits, and is gone with it.
func TestWithTx(t *testing.T) {
	file := newFile(t)
	b := openBroker(t, file)
	c := mustConsume(t, b, "q", 1)
	db := appDB(t, file)
	if _, err := db.Exec("CREATE TABLE orders (id TEXT)"); err != nil {
		t.Fatal(err)
	}
	order := func(m *broker.Message, end func(*sql.Tx) error) {
		t.Helper()
		tx, err := db.Begin()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tx.Exec("INSERT INTO orders VALUES (?)", m.ID); err != nil {
			t.Fatal(err)
		}
		if err := enqueueTx(t, b, tx, m)[0]; err != nil {
			t.Fatal(err)
		}
		if err := end(tx); err != nil {
			t.Fatal(err)
		}
	}
	order(newMessage("q"), (*sql.Tx).Rollback)
	kept := newMessage("q")
	order(kept, (*sql.Tx).Commit)
	d := receive(t, c) // nobody told the broker
	if d.Message().ID != kept.ID {
		t.Errorf("delivered %s, want the one that was committed, %s", d.Message().ID, kept.ID)
	}
	d.Settle(broker.Settlement{Verdict: broker.Done})
	flush(t, b)
	if s := queueState(t, b, "q"); s.Ready+s.Running != 0 {
		t.Errorf("state %+v, want nothing left", s)
	}

	tx, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	ctx := WithTx(testContext(t), tx)
	m := newMessage("q")
	errs := b.EnqueueTx(ctx, broker.Transaction(ctx), []*broker.Message{m, m})
	if errs[0] != nil || !errors.Is(errs[1], broker.ErrDuplicate) {
		t.Errorf("twice in one transaction: %v", errs)
	}
	if _, err := tx.Exec("INSERT INTO orders VALUES ('after')"); err != nil {
		t.Errorf("a duplicate broke the transaction: %v", err)
	}
}

// What holds of Enqueue holds of a transaction of the application.
func TestWithTxIsAWayIn(t *testing.T) {
	b := openNamespace(t, newFile(t), "shop")
	c := mustConsume(t, b, "q", 1)
	tx, err := appDB(t, b.file).Begin()
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	m, invalid := newMessage("q"), newMessage("q")
	m.Headers, m.Keep, m.Expires = map[string]string{"Tenant": "7"}, time.Hour, m.EnqueuedAt.Add(time.Hour).Truncate(time.Millisecond)
	m.NotBefore = time.Now().Add(100 * time.Millisecond)
	invalid.Body = make([]byte, broker.MaxBodySize+1)
	if errs := enqueueTx(t, b, tx, invalid, m); !errors.Is(errs[0], broker.ErrTooLarge) || errs[1] != nil {
		t.Errorf("errors %v, want ErrTooLarge for the first alone", errs)
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	d := receive(t, c)
	if early := time.Until(m.NotBefore.Truncate(time.Millisecond)); early > 0 {
		t.Errorf("%v early", early)
	}
	if got := d.Message(); got.ID != m.ID || got.Headers["Tenant"] != "7" || !got.Expires.Equal(m.Expires) || got.Keep != m.Keep {
		t.Errorf("delivered %+v, want %+v", got, m)
	}
	d.Settle(broker.Settlement{Verdict: broker.Done, Result: []byte("1")})
	if r, err := b.Result(testContext(t), m.ID); err != nil || string(r.Value) != "1" {
		t.Errorf("result %s, %v, want 1", r.Value, err)
	}
}

// A transaction on another file is refused: its messages would never run.
func TestWithTxElsewhere(t *testing.T) {
	b := openBroker(t, newFile(t))
	other := newFile(t)
	openBroker(t, other)
	tx, err := appDB(t, other).Begin()
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	err = enqueueTx(t, b, tx, newMessage("q"))[0]
	if !errors.Is(err, broker.ErrTransaction) || !strings.Contains(err.Error(), "open both on one file") {
		t.Errorf("error %v, want a refusal", err)
	}
	if err := enqueueTx(t, b, nil, newMessage("q"))[0]; !errors.Is(err, broker.ErrTransaction) {
		t.Errorf("without a transaction: error %v, want a refusal", err)
	}
}

// A library of its own drops the broker's locks when it closes the file. Here a
// table in the place of the pragma says that it was compiled otherwise.
func TestWithTxOfAnotherLibrary(t *testing.T) {
	b := openBroker(t, newFile(t))
	tx, err := appDB(t, b.file).Begin()
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	if _, err := tx.Exec("CREATE TEMP TABLE pragma_compile_options AS SELECT 'COMPILER=gcc-1.0' AS compile_options"); err != nil {
		t.Fatal(err)
	}
	err = enqueueTx(t, b, tx, newMessage("q"))[0]
	if !errors.Is(err, broker.ErrTransaction) || !strings.Contains(err.Error(), "with the driver modernc.org/sqlite") {
		t.Errorf("error %v, want a refusal", err)
	}
}

// A transaction that reads first and writes later fails when another one has
// written in between. The error says how to begin it, as the comment of WithTx
// does.
func TestWithTxDeferred(t *testing.T) {
	b := openBroker(t, newFile(t))
	db, err := sql.Open("sqlite", b.dsn())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	tx, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	var n int
	if err := tx.QueryRow("SELECT count(*) FROM dtask_messages").Scan(&n); err != nil {
		t.Fatal(err)
	}
	mustEnqueue(t, b, newMessage("q"))
	err = enqueueTx(t, b, tx, newMessage("q"))[0]
	if err == nil || !strings.Contains(err.Error(), "_txlock=immediate") {
		t.Errorf("error %v, want the remedy", err)
	}
}

// enqueueTx enqueues messages in a transaction, as a client does.
func enqueueTx(t *testing.T, b *Broker, tx *sql.Tx, ms ...*broker.Message) []error {
	ctx := WithTx(testContext(t), tx)
	return b.EnqueueTx(ctx, broker.Transaction(ctx), ms)
}
