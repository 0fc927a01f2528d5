package outbox_test

import (
	"database/sql"
	"fmt"
	"strings"
	"testing"

	"github.com/dtaskhq/dtask/runtime/dtask"
	"github.com/dtaskhq/dtask/runtime/outbox"
)

// Services that have one database, and each a broker of its own, do not get each
// other's messages, nor wait for each other's brokers.
func TestTwoServices(t *testing.T) {
	databases(t, func(t *testing.T, db *sql.DB) {
		var stores []*store
		for i := range 2 {
			s := newStore()
			s.name = fmt.Sprint("place ", i)
			stores = append(stores, s)
			client := dtask.NewClient(s, dtask.WithOutbox(outbox.SQL(db)))
			defer client.Close()
			for n := range 30 {
				inTx(t, db, client, (*sql.Tx).Commit, fmt.Sprint(i, "-", n))
			}
		}
		for i, s := range stores {
			s.await(t, 30)
			for id := range s.got {
				if !strings.HasPrefix(id, fmt.Sprint(i)) {
					t.Errorf("service %d has got %s", i, id)
				}
			}
		}
	})
}

// The relays of one name have one broker, whatever that says of itself.
func TestNamed(t *testing.T) {
	databases(t, func(t *testing.T, db *sql.DB) {
		before, after, other := newStore(), newStore(), newStore()
		before.name, after.name, other.name = "old", "new", "old"
		gone := dtask.NewClient(before, dtask.WithOutbox(unattended{outbox.SQL(db, outbox.Named("shop"))}))
		inTx(t, db, gone, (*sql.Tx).Commit, "a", "b")
		unnamed := dtask.NewClient(other, dtask.WithOutbox(outbox.SQL(db)))
		inTx(t, db, unnamed, (*sql.Tx).Commit, "c")
		other.await(t, 1)
		moved := dtask.NewClient(after, dtask.WithOutbox(outbox.SQL(db, outbox.Named("shop"))))
		after.await(t, 2)
		unnamed.Close()
		moved.Close()
		if len(before.got) != 0 || len(other.got) != 1 || len(after.got) != 2 {
			t.Errorf("arrived: %v, %v, %v", before.got, other.got, after.got)
		}
	})
}

// What nobody relays is said: it was not claimed within a minute.
func TestAbandoned(t *testing.T) {
	databases(t, func(t *testing.T, db *sql.DB) {
		s := newStore()
		client := dtask.NewClient(s, dtask.WithOutbox(outbox.SQL(db)))
		defer client.Close()
		inTx(t, db, client, (*sql.Tx).Commit, "first")
		s.await(t, 1)
		now := "0"
		if err := db.QueryRow("SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT)").Scan(&now); err != nil {
			if err := db.QueryRow("SELECT CAST(unixepoch('subsec') * 1000 AS INTEGER)").Scan(&now); err != nil {
				t.Fatal(err)
			}
		}
		for place, claimed := range map[string]string{"nobody": "0", "another process": now} {
			message := `{"ID":"x","EnqueuedAt":"2020-01-01T00:00:00Z"}`
			if _, err := db.Exec(fmt.Sprintf("INSERT INTO dtask_outbox (place, message, claimed) VALUES ('%s', '%s', %s)", place, message, claimed)); err != nil {
				t.Fatal(err)
			}
		}
		list, err := client.Outbox().Waiting(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		said := ""
		for _, b := range list {
			if b.For == "here" {
				continue // its row may not be deleted yet
			}
			said += fmt.Sprintln(b.For, b.Messages, b.Oldest.Year(), b.Abandoned)
		}
		if want := "another process 1 2020 false\nnobody 1 2020 true\n"; said != want {
			t.Errorf("got:\n%swant:\n%s", said, want)
		}
	})
}
