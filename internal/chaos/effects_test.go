//go:build unix

package chaos

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	_ "modernc.org/sqlite"

	"github.com/dtaskhq/dtask/runtime/dtask"
	"github.com/dtaskhq/dtask/runtime/inbox"
)

// effect writes a row in the transaction that the worker gives it.
var effect = define("chaos.Effect", 1000)

func init() { tasks[effect.Name()] = effect }

// T17: workers are killed while they commit what tasks have done in their
// transactions, and some attempts fail after that. Each effect is there once.
func TestEffects(t *testing.T) {
	onBrokers(t, "T17 effects in transactions", func(tr *trial) {
		const concurrency = 8
		db, err := openEffects(tr.dir)
		if err != nil {
			tr.Fatal(err)
		}
		defer db.Close()
		c := crew{Concurrency: concurrency, Effects: tr.dir}
		tr.work(tr.url, 3, c)
		tr.produce(tr.url, load{Task: effect.Name(), Callers: 16, Pause: 10 * time.Millisecond})
		faults := 0
		inject(
			scale(8*time.Second, 3*time.Minute),
			fault{400 * time.Millisecond, func() { faults++; tr.murder(tr.url, c) }},
		)
		a := tr.settle()
		tr.require(a, allowance{duplicated: a.executed}) // of calls; the effects count
		twice, missing := 0, 0
		effects := make(map[string]int)
		rows, err := db.QueryContext(tr.Context(), "SELECT id, count(*) FROM effects GROUP BY id")
		if err != nil {
			tr.Fatal(err)
		}
		defer rows.Close()
		for rows.Next() {
			var id string
			var n int
			if err := rows.Scan(&id, &n); err != nil {
				tr.Fatal(err)
			}
			effects[id] = n
			if n > 1 {
				twice++
			}
		}
		for id, outcome := range tr.record.outcome {
			if outcome == confirmed && effects[id] == 0 {
				missing++
			}
		}
		if twice > 0 || missing > 0 || len(effects) == 0 {
			tr.Errorf("of %d effects %d are there more than once; %d are missing", len(effects), twice, missing)
		}
		fmt.Fprintf(tr.Output(), "%s: %d effects after %d kills, doubled %d, missing %d\n", tr.name, len(effects), faults, twice, missing)
	})
}

// openEffects opens the database of a trial.
func openEffects(dir string) (*sql.DB, error) {
	db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "effects.db")+"?_txlock=immediate&_pragma=busy_timeout(30000)&_pragma=journal_mode(wal)")
	if err == nil {
		_, err = db.Exec("CREATE TABLE IF NOT EXISTS effects (id TEXT)")
	}
	return db, err
}

// effectsTable returns the table of a worker with a database.
func effectsTable(db *sql.DB, log *ledger) dtask.Table {
	return dtask.Table{dtask.BindTx(effect, inbox.SQL(db), func(ctx context.Context, tx *sql.Tx, a args) (dtask.None, error) {
		info, _ := dtask.InfoFromContext(ctx)
		if _, err := tx.ExecContext(ctx, "INSERT INTO effects VALUES (?)", info.ID); err != nil {
			return dtask.None{}, err
		}
		if rand.IntN(10) == 0 {
			return dtask.None{}, dtask.RetryAfter(time.Second, errors.New("not this time"))
		}
		log.note(executed, info.ID, fmt.Sprint(time.Now().UnixMilli()-a.Due, info.Attempt))
		return dtask.None{}, nil
	})}
}
