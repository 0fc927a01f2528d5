//go:build unix

package worker

import (
	"database/sql"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	_ "modernc.org/sqlite"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/dtask"
	"github.com/dtaskhq/dtask/runtime/outbox"
)

// openShop opens the database of an application.
func openShop(file string) *sql.DB {
	db, err := sql.Open("sqlite", "file:"+file+"?_txlock=immediate&_pragma=busy_timeout(10000)&_pragma=journal_mode(wal)")
	if err != nil {
		panic(err) // impossible: nothing was opened yet
	}
	return db
}

// testOutbox is the outbox of the test program, if it is to have one.
func testOutbox() broker.Outbox {
	if file := os.Getenv(outboxEnv); file != "" {
		return outbox.SQL(openShop(file))
	}
	return nil
}

// unattended is an outbox that nobody relays.
type unattended struct{ broker.Outbox }

func (u unattended) Relay(b broker.Broker, log *slog.Logger) broker.Relay {
	r := u.Outbox.Relay(b, log)
	r.Stop()
	return r
}

// The processes of a worker program relay its outbox, and its doctor looks into it.
func TestOutbox(t *testing.T) {
	onEachBroker(t, func(t *testing.T, b *bench) {
		file := filepath.Join(t.TempDir(), "shop.db")
		db := openShop(file)
		defer db.Close()
		client := dtask.NewClient(b.client.Broker(), dtask.WithOutbox(unattended{outbox.SQL(db)}))
		tx, err := db.Begin()
		if err != nil {
			t.Fatal(err)
		}
		defer tx.Rollback()
		ctx := outbox.WithTx(dtask.NewContext(t.Context(), client), tx)
		for _, text := range []string{"a", "b"} {
			if _, err := noteTask.Delay(ctx, textArgs{text}); err != nil {
				t.Fatal(err)
			}
		}
		if err := tx.Commit(); err != nil {
			t.Fatal(err)
		}
		env := []string{outboxEnv + "=" + file}
		doctor := b.start(env, "doctor")
		doctor.exit(t)
		if said := doctor.stdout.String(); !strings.Contains(said, "2 messages wait, none for long") {
			t.Errorf("the doctor says\n%s", said)
		}
		worker := b.start(env)
		b.ledger.await(t, 2, "done", noteTask)
		worker.signal(t, syscall.SIGTERM)
		if code := worker.exit(t); code != exitOK {
			t.Errorf("exit code %d", code)
		}
	})
}
