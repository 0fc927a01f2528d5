package outbox_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"github.com/dtaskhq/dtask/internal/testenv/postgrestest"
	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/dtask"
	"github.com/dtaskhq/dtask/runtime/outbox"
)

// A store is a broker that remembers what it got.
type store struct {
	broker.Broker
	name   string
	refuse func(*broker.Message) error // may be nil

	mu    sync.Mutex
	got   map[string]int // id → how often
	ms    []*broker.Message
	calls int
	news  chan struct{}
}

func newStore() *store {
	return &store{name: "here", got: make(map[string]int), news: make(chan struct{}, 1)}
}

func (s *store) Identity() broker.Identity { return broker.Identity{Store: s.name} }

func (s *store) EnqueueMany(_ context.Context, ms []*broker.Message) []error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	errs := make([]error, len(ms))
	for i, m := range ms {
		if s.refuse != nil {
			errs[i] = s.refuse(m)
		}
		if errs[i] == nil {
			s.got[m.ID]++
			s.ms = append(s.ms, m)
		}
	}
	select {
	case s.news <- struct{}{}:
	default:
	}
	return errs
}

func (s *store) Close() error { return nil }

// await waits until the store has got n messages.
func (s *store) await(t *testing.T, n int) {
	t.Helper()
	limit := time.After(time.Minute)
	for {
		s.mu.Lock()
		have := len(s.got)
		s.mu.Unlock()
		if have >= n {
			return
		}
		select {
		case <-s.news:
		case <-limit:
			t.Fatalf("%d messages have arrived, want %d", have, n)
		}
	}
}

type noteArgs struct {
	Text string `json:"text"`
}

var note = dtask.Define[noteArgs, dtask.None]("shop.Note", dtask.Spec{Queue: "notes", Retries: 3, Schema: "s"})

func openDB(t *testing.T) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(t.TempDir(), "shop.db")+"?_txlock=immediate&_pragma=busy_timeout(10000)&_pragma=journal_mode(wal)")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	if _, err := db.Exec("CREATE TABLE orders (id TEXT)"); err != nil {
		t.Fatal(err)
	}
	return db
}

// databases are those that the tests run on.
func databases(t *testing.T, test func(t *testing.T, db *sql.DB)) {
	t.Run("SQLite", func(t *testing.T) { t.Parallel(); test(t, openDB(t)) })
	t.Run("PostgreSQL", func(t *testing.T) {
		t.Parallel()
		db, err := sql.Open("pgx", postgrestest.Database(t))
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		if _, err := db.Exec("CREATE TABLE orders (id TEXT)"); err != nil {
			t.Fatal(err)
		}
		test(t, db)
	})
}

// A transaction of pgx will do as well.
func TestPgxTx(t *testing.T) {
	ctx := t.Context()
	url := postgrestest.Database(t)
	db, err := sql.Open("pgx", url)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	s := newStore()
	client := dtask.NewClient(s, dtask.WithOutbox(outbox.SQL(db)))
	defer client.Close()
	for _, commit := range []bool{false, true} {
		tx, err := conn.Begin(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := note.Delay(dtask.NewContext(outbox.WithPgxTx(ctx, tx), client), noteArgs{"x"}, dtask.ID(fmt.Sprint(commit))); err != nil {
			t.Fatal(err)
		}
		end := tx.Rollback
		if commit {
			end = tx.Commit
		}
		if err := end(ctx); err != nil {
			t.Fatal(err)
		}
	}
	s.await(t, 1)
	if s.got["true"] != 1 {
		t.Errorf("arrived: %v", s.got)
	}
}

// inTx enqueues notes in a transaction that also stores an order.
func inTx(t *testing.T, db *sql.DB, c *dtask.Client, end func(*sql.Tx) error, texts ...string) {
	t.Helper()
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	if _, err := tx.Exec("INSERT INTO orders VALUES ('x')"); err != nil {
		t.Fatal(err)
	}
	ctx := dtask.NewContext(outbox.WithTx(t.Context(), tx), c)
	for _, text := range texts {
		if _, err := note.Delay(ctx, noteArgs{text}, dtask.ID(text), dtask.In(time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	if err := end(tx); err != nil {
		t.Fatal(err)
	}
}

// What is committed arrives as it was delayed, and what is rolled back never.
func TestOutbox(t *testing.T) {
	databases(t, func(t *testing.T, db *sql.DB) {
		s, box := newStore(), outbox.SQL(db)
		client := dtask.NewClient(s, dtask.WithOutbox(box))
		before := time.Now()
		inTx(t, db, client, (*sql.Tx).Rollback, "gone")
		inTx(t, db, client, (*sql.Tx).Commit, "a", "b")
		s.await(t, 2)
		inTx(t, db, client, (*sql.Tx).Commit, "c")
		s.await(t, 3)
		client.Close()
		if ids := slices.Sorted(maps.Keys(s.got)); !slices.Equal(ids, []string{"a", "b", "c"}) {
			t.Errorf("arrived: %q", ids)
		}
		m := s.ms[0]
		if m.Task != "shop.Note" || m.Queue != "notes" || string(m.Body) != `{"text":"a"}` || m.Schema != "s" ||
			m.Attempts != 4 || m.NotBefore.Before(before.Add(time.Hour).Truncate(time.Millisecond)) {
			t.Errorf("arrived: %+v", m)
		}
		if list, err := box.Waiting(t.Context()); len(list) != 0 || err != nil {
			t.Errorf("waiting: %+v, %v", list, err)
		}
	})
}

// The first transaction is stored before the relay has found the table, also if it holds
// the only connection of the pool. What it has made is gone with it.
func TestOneConnection(t *testing.T) {
	databases(t, func(t *testing.T, db *sql.DB) {
		db.SetMaxOpenConns(1)
		s := newStore()
		box := outbox.SQL(db)
		tx, err := db.Begin() // before the relay can have the connection
		if err != nil {
			t.Fatal(err)
		}
		client := dtask.NewClient(s, dtask.WithOutbox(box))
		defer client.Close()
		for _, text := range []string{"a", "b"} {
			if _, err := note.Delay(dtask.NewContext(outbox.WithTx(t.Context(), tx), client), noteArgs{text}, dtask.ID(text)); err != nil {
				t.Fatal(err)
			}
		}
		if err := tx.Rollback(); err != nil {
			t.Fatal(err)
		}
		inTx(t, db, client, (*sql.Tx).Commit, "c", "d")
		s.await(t, 2)
		if ids := slices.Sorted(maps.Keys(s.got)); !slices.Equal(ids, []string{"c", "d"}) {
			t.Errorf("arrived: %q", ids)
		}
	})
}

// Several processes relay one outbox, and each message once. A message that the
// broker refuses holds up no other, and arrives when it is refused no more.
func TestRelays(t *testing.T) {
	databases(t, func(t *testing.T, db *sql.DB) {
		var mu sync.Mutex
		broken := true
		s := newStore()
		s.refuse = func(m *broker.Message) error {
			mu.Lock()
			defer mu.Unlock()
			if broken && strings.HasPrefix(m.ID, "bad") {
				return broker.ErrQueueFull
			}
			return nil
		}
		box := outbox.SQL(db)
		producer := dtask.NewClient(s, dtask.WithOutbox(box))
		for range 3 {
			other := dtask.NewClient(s, dtask.WithOutbox(outbox.SQL(db)))
			defer other.Close()
		}
		for i := range 20 {
			inTx(t, db, producer, (*sql.Tx).Commit, fmt.Sprint("bad", i), fmt.Sprint("good", i), fmt.Sprint("fine", i))
		}
		s.await(t, 40)
		var list []broker.Backlog
		err := error(nil)
		for err == nil && (len(list) != 1 || list[0].Messages != 20) { // what has arrived is deleted a moment later
			<-s.news
			list, err = box.Waiting(t.Context())
		}
		if err != nil || list[0].For != "here" || list[0].Abandoned || time.Since(list[0].Oldest) > time.Minute || list[0].Oldest.After(time.Now()) {
			t.Errorf("waiting: %+v, %v; want the 20 that are refused", list, err)
		}
		mu.Lock()
		broken = false
		mu.Unlock()
		s.await(t, 60)
		producer.Close()
		for id, n := range s.got {
			if n != 1 {
				t.Errorf("%s arrived %d times", id, n)
			}
		}
	})
}

// A process dies between the claim and the deletion: another one takes the message.
func TestRelayDies(t *testing.T) {
	databases(t, func(t *testing.T, db *sql.DB) {
		s, box := newStore(), outbox.SQL(db)
		client := dtask.NewClient(s, dtask.WithOutbox(box))
		inTx(t, db, client, (*sql.Tx).Commit, "first")
		s.await(t, 1)
		client.Close()
		client = dtask.NewClient(s, dtask.WithOutbox(unattended{box}))
		inTx(t, db, client, (*sql.Tx).Commit, "a", "b")
		if _, err := db.Exec("UPDATE dtask_outbox SET claimed = claimed + 1"); err != nil { // long ago, so its claim is over
			t.Fatal(err)
		}
		if _, err := db.Exec("INSERT INTO dtask_outbox (place, message) VALUES ('here', '{')"); err != nil { // which stays
			t.Fatal(err)
		}
		client = dtask.NewClient(s, dtask.WithOutbox(box))
		s.await(t, 3)
		client.Close()
		if list, err := box.Waiting(t.Context()); len(list) != 1 || list[0].Messages != 1 || err != nil {
			t.Errorf("waiting: %+v, %v; want the damaged one", list, err)
		}
	})
}

// unattended is an outbox that nobody relays.
type unattended struct{ broker.Outbox }

func (u unattended) Relay(b broker.Broker, log *slog.Logger) broker.Relay {
	r := u.Outbox.Relay(b, log)
	r.Stop()
	return r
}

// Transactions that the outbox cannot use are refused, and so are messages.
func TestRefused(t *testing.T) {
	databases(t, func(t *testing.T, db *sql.DB) {
		client := dtask.NewClient(newStore(), dtask.WithOutbox(outbox.SQL(db)))
		defer client.Close()
		ctx := dtask.NewContext(broker.WithTransaction(t.Context(), "something"), client)
		if _, err := note.Delay(ctx, noteArgs{"x"}); !errors.Is(err, dtask.ErrTransaction) || !strings.Contains(err.Error(), "WithTx of package outbox") {
			t.Errorf("a foreign transaction: %v", err)
		}
		tx, err := db.Begin()
		if err != nil {
			t.Fatal(err)
		}
		defer tx.Rollback()
		ctx = dtask.NewContext(outbox.WithTx(t.Context(), tx), client)
		if _, err := note.Delay(ctx, noteArgs{strings.Repeat("x", broker.MaxBodySize)}); !errors.Is(err, dtask.ErrTooLarge) {
			t.Errorf("a message that is too large: %v", err)
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
	_, err = outbox.SQL(db).Waiting(t.Context())
	if err == nil || !strings.HasPrefix(err.Error(), "outbox: the database does not answer: ") {
		t.Errorf("error %v", err)
	}
}
