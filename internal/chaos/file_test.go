//go:build unix

package chaos

import (
	"database/sql"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// T13: a process that enqueues and executes on a SQLite file is killed again
// and again, at any moment from its start on.
func TestFileKilled(t *testing.T) {
	t.Parallel()
	const concurrency = 4
	tr := newTrial(t, "T13 killed while writing, SQLite", sqliteURL(t))
	kills := scale(50, 1000)
	for range kills {
		tr.serial++
		p := start(t, role{
			Name:    fmt.Sprintf("process%d", tr.serial),
			URL:     tr.url,
			Dir:     tr.dir,
			Produce: &load{Task: plain.Name(), Callers: 4, Pause: time.Millisecond, Retries: 100}, // a task may be hit many times
			Work:    &crew{Concurrency: concurrency},
		})
		if rand.IntN(10) > 0 { // else it may be killed while it opens the file
			p.awaitReady()
		}
		time.Sleep(rand.N(100 * time.Millisecond))
		p.kill()
	}
	tr.work(tr.url, 1, crew{Concurrency: concurrency})
	a := tr.settle()
	tr.require(a, allowance{duplicated: kills * 2 * concurrency})
	tr.checkIntegrity()
}

// checkIntegrity has SQLite check the whole file.
func (tr *trial) checkIntegrity() {
	tr.Helper()
	db, err := sql.Open("sqlite", strings.TrimPrefix(tr.url, "sqlite:"))
	if err != nil {
		tr.Fatal(err)
	}
	defer db.Close()
	var verdict string
	if err := db.QueryRow("PRAGMA integrity_check").Scan(&verdict); err != nil || verdict != "ok" {
		tr.Errorf("integrity_check: %q, %v", verdict, err)
	}
}
