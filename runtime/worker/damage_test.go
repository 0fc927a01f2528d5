//go:build unix

package worker

import (
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dtaskhq/dtask/runtime/dtask"
)

// A drain of a damaged database fails, and from then on Delay refuses: in the header,
// and in an index, one bit has flipped.
func TestDrainDamaged(t *testing.T) {
	t.Parallel()
	for name, place := range map[string]struct {
		query string // of the page
		at    int64
	}{
		"header": {"SELECT 1", 47},
		"index":  {"SELECT rootpage FROM sqlite_schema WHERE name = 'dtask_waiting'", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "tasks.db")
			b := newBench(t, "sqlite:"+file)
			b.delay(noteTask, "a", "b", "c")
			db, err := sql.Open("sqlite", file)
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			var page int64
			if err := db.QueryRow(place.query).Scan(&page); err != nil {
				t.Fatal(err)
			}
			if _, err := db.Exec("PRAGMA wal_checkpoint(TRUNCATE)"); err != nil {
				t.Fatal(err)
			}
			flipBit(t, file, (page-1)*4096+place.at)
			p := b.start(nil, "-drain")
			if code := p.exit(t); code != exitFailed || !strings.Contains(p.stderr.String(), "it is damaged") {
				t.Errorf("exit code %d, want %d, with the reason:\n%s", code, exitFailed, p.stderr)
			}
			for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
				_, err := noteTask.Delay(dtask.NewContext(t.Context(), b.client), textArgs{"d"})
				if err != nil {
					if !strings.Contains(err.Error(), "damaged") {
						t.Errorf("Delay: %v, want that the file is damaged", err)
					}
					break
				}
				if time.Now().After(deadline) {
					t.Fatal("Delay goes on to confirm")
				}
			}
		})
	}
}

// flipBit flips a bit of the file, behind the back of SQLite.
func flipBit(t *testing.T, file string, at int64) {
	t.Helper()
	f, err := os.OpenFile(file, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() }) // not before: a close drops the locks of SQLite
	b := make([]byte, 1)
	if _, err := f.ReadAt(b, at); err != nil {
		t.Fatal(err)
	}
	b[0] ^= 8
	if _, err := f.WriteAt(b, at); err != nil {
		t.Fatal(err)
	}
}
