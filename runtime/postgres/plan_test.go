package postgres

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/dtaskhq/dtask/internal/testenv/postgrestest"
)

// A planNode is a step of a plan that was executed.
type planNode struct {
	Type   string     `json:"Node Type"`
	Index  string     `json:"Index Name"`
	Rows   float64    `json:"Actual Rows"`
	Hit    int        `json:"Shared Hit Blocks"`
	Read   int        `json:"Shared Read Blocks"`
	Inside []planNode `json:"Plans"`
}

// scan returns the step that scans an index.
func (n planNode) scan(index string) (found planNode) {
	if strings.HasSuffix(n.Index, index) {
		return n
	}
	for _, inner := range n.Inside {
		if s := inner.scan(index); s.Index != "" {
			found = s
		}
	}
	return found
}

// A claim reads as many pages to find its messages whether few or many others wait, are
// delayed, are dead letters, or are gone while an old transaction keeps their rows.
func TestClaimsStayFlat(t *testing.T) {
	t.Parallel()
	b := openBroker(t, postgrestest.URL(t))
	ctx, conn := testContext(t), connect(t, b)
	const asked = 200
	fill := func(rows int, state int, due string) {
		t.Helper()
		if _, err := conn.Exec(ctx, b.in("INSERT INTO dtask_messages (id, task, queue, body, state, due)"+
			" SELECT gen_random_uuid()::text, 'pkg.Task', 'q', '{}', $2, "+due+" FROM generate_series(1, $1) AS n"), rows, state); err != nil {
			t.Fatal(err)
		}
	}
	var consumer int64
	if err := conn.QueryRow(ctx, b.in("INSERT INTO dtask_consumers (worker, queue) VALUES (1, 'q') RETURNING id")).Scan(&consumer); err != nil {
		t.Fatal(err)
	}
	var at time.Time // the floor
	pages := func() int {
		t.Helper()
		tx, err := conn.Begin(ctx)
		if err != nil {
			t.Fatal(err)
		}
		defer tx.Rollback(ctx)
		if _, err := tx.Exec(ctx, plannedLightly); err != nil {
			t.Fatal(err)
		}
		var text string
		if err := tx.QueryRow(ctx, "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) "+b.in(claimOf[normal]), pgx.QueryExecModeExec, "q", consumer, asked, from(at)).Scan(&text); err != nil {
			t.Fatal(err)
		}
		var plans []struct{ Plan planNode }
		if err := json.Unmarshal([]byte(text), &plans); err != nil {
			t.Fatal(err)
		}
		found := plans[0].Plan.scan("_waiting")
		if found.Rows != asked {
			t.Fatalf("the claim does not scan the index of what waits:\n%s", text)
		}
		return found.Hit + found.Read
	}
	fill(1000, 0, "now() - n * interval '1 ms'")
	few := pages()
	fill(100_000, 0, "now() - interval '1 hour' + n * interval '1 ms'") // the oldest ones lie together again
	fill(50_000, 0, "now() + n * interval '1 s'")
	fill(50_000, 2, "now() - n * interval '1 s'")
	many := pages()
	if many > few*12/10+3 {
		t.Errorf("a claim reads %d pages with 1,000 messages, and %d with 201,000", few, many)
	}
	old, err := connect(t, b).Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := old.Exec(ctx, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; SELECT"); err != nil { // it has a snapshot
		t.Fatal(err)
	}
	exec(t, b, "DELETE FROM dtask_messages WHERE state = 0 AND due < now() - interval '1 hour' + interval '90 s'")
	bloated := pages()
	if err := conn.QueryRow(ctx, b.in("SELECT min(due) FROM dtask_messages WHERE state = 0")).Scan(&at); err != nil {
		t.Fatal(err)
	}
	above := pages()
	if above > few*12/10+3 {
		t.Errorf("a claim reads %d pages with 1,000 messages, and %d beside 90,000 that are gone", few, above)
	}
	t.Logf("%d pages; with many others %d; beside those that are gone %d from the floor, and %d without one", few, many, above, bloated)
}
