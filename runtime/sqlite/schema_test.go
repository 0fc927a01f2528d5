package sqlite

import (
	"database/sql/driver"
	"strings"
	"testing"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// plan returns how SQLite executes a statement.
func plan(t *testing.T, c *conn, sql string) string {
	t.Helper()
	args := make([]driver.Value, strings.Count(sql, "?"))
	for i := range args {
		args[i] = int64(7)
	}
	var steps []string
	if err := c.query(func(row []driver.Value) error {
		steps = append(steps, row[3].(string))
		return nil
	}, "EXPLAIN QUERY PLAN "+sql, args...); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return strings.Join(steps, "; ")
}

// What is executed for every message goes straight to its rows by an index,
// however many others there are, and sorts nothing.
func TestPlans(t *testing.T) {
	c := openConn(t, openBroker(t, newFile(t)).file)
	statements := map[string]string{
		settleDone:              "SEARCH dtask_messages USING INTEGER PRIMARY KEY (rowid=?)",
		settleReleased:          "SEARCH dtask_messages USING INTEGER PRIMARY KEY (rowid=?)",
		settleRequeue:           "SEARCH dtask_messages USING INTEGER PRIMARY KEY (rowid=?)",
		settleDead:              "SEARCH dtask_messages USING INTEGER PRIMARY KEY (rowid=?)",
		selectWhole:             "SEARCH dtask_messages USING INTEGER PRIMARY KEY (rowid=?)",
		freeMessages:            "SEARCH dtask_messages USING COVERING INDEX dtask_running (owner=?)",
		giveUpMessages:          "SEARCH dtask_messages USING INDEX dtask_running (owner=?)",
		selectDead:              "SEARCH dtask_messages USING INDEX dtask_dead (queue=?)",
		allDead:                 "SEARCH dtask_messages USING COVERING INDEX dtask_dead (queue=?)",
		allWaiting:              "SEARCH dtask_messages USING COVERING INDEX dtask_waiting (queue=?)",
		retryDead + withSeq:     "SEARCH dtask_messages USING INTEGER PRIMARY KEY (rowid=?)",
		retryDead + withID:      "SEARCH dtask_messages USING INDEX sqlite_autoindex_dtask_messages_1 (id=?)",
		deleteWaiting + withSeq: "SEARCH dtask_messages USING INTEGER PRIMARY KEY (rowid=?)",
		selectStored:            "SEARCH dtask_messages USING INDEX sqlite_autoindex_dtask_messages_1 (id=?)",
	}
	statements[selectTally] = "SEARCH dtask_journal USING PRIMARY KEY (minute=? AND queue=? AND task=?)"
	statements[selectTallies] = "SEARCH dtask_journal USING PRIMARY KEY ((minute,queue,task)>(?,?,?))"
	statements[forgetTallies] = "SEARCH dtask_journal USING PRIMARY KEY (minute<?)"
	for _, change := range []string{editMessage, moveMessage, hastenMessage, deleteMessage, reviveMessage} {
		statements[change] = "SEARCH dtask_messages USING INDEX sqlite_autoindex_dtask_messages_1 (id=?)"
	}
	for s, key := range map[shelf]string{waiting: "queue=? AND priority=?", quarantined: "queue=?", dead: "queue=?"} {
		l := lane{shelf: s}
		statements[l.later(briefColumns)] = "USING INDEX " + shelves[s].index + " (" + key + " AND due>? AND due<?)"
		statements[l.sameDue(briefColumns)] = "USING INDEX " + shelves[s].index + " (" + key + " AND due=? AND rowid>?)"
	}
	for class, q := range queries {
		index, key := "dtask_waiting", "queue=? AND priority=?"
		if class == quarantine {
			index, key = "dtask_quarantine", "queue=?"
		}
		statements[q.due] = "INDEX " + index + " (" + key + ")"
		statements[q.pick] = "USING INDEX " + index + " (" + key + " AND due<?)"
		statements[q.markBefore] = "USING INDEX " + index + " (" + key + " AND due<?)"
		statements[q.markAt] = "USING INDEX " + index + " (" + key + " AND due=? AND rowid<?)"
	}
	if got := plan(t, c, misplaced); strings.Count(got, "SEARCH dtask_messages USING COVERING INDEX dtask_waiting (queue=? AND priority") != 2 {
		t.Errorf("%s\nis executed by %s", misplaced, got)
	}
	if got := plan(t, c, freeOrphans); !strings.Contains(got, "SCAN dtask_messages USING COVERING INDEX dtask_running") {
		t.Errorf("%s\nis executed by %s, want a scan of what is running", freeOrphans, got)
	}
	if got := plan(t, c, dueOfAll); strings.Count(got, "COVERING INDEX dtask_waiting (queue=? AND priority=?)") != 3 || !strings.Contains(got, "INDEX dtask_quarantine (queue=?)") {
		t.Errorf("%s\nis executed by %s", dueOfAll, got)
	}
	for sql, want := range statements {
		got := plan(t, c, sql)
		if !strings.Contains(got, want) {
			t.Errorf("%s\nis executed by %s, want %s", sql, got, want)
		}
		if strings.Contains(got, "TEMP B-TREE FOR ORDER") || strings.Contains(got, "SCAN dtask_messages") {
			t.Errorf("%s\nis executed by %s", sql, got)
		}
	}
}

// The file does not grow with the number of messages done, and gives back what
// a backlog has taken.
func TestFileShrinks(t *testing.T) {
	b := openBroker(t, newFile(t))
	look := openConn(t, b.file)
	pages := func() int64 { return mustInt(t, look, "PRAGMA page_count") }
	backlog := func(n int) []*broker.Message {
		ms := newMessages("q", n)
		for _, m := range ms {
			m.Body = make([]byte, 4000) // a page each
		}
		return ms
	}
	c := mustConsume(t, b, "q", 10)
	var most int64
	for range 20 {
		mustEnqueue(t, b, backlog(50)...)
		for range 50 {
			receive(t, c).Settle(broker.Settlement{Verdict: broker.Done})
		}
		flush(t, b)
		most = max(most, pages())
	}
	if most > 200 {
		t.Errorf("%d pages after 1000 messages, 50 at a time", most)
	}

	if err := b.Pause(testContext(t), broker.Pause{What: broker.PauseQueue, Name: "q"}); err != nil {
		t.Fatal(err)
	}
	mustEnqueue(t, b, backlog(2000)...)
	full := pages()
	if n, err := b.Purge(testContext(t), "q"); n != 2000 || err != nil {
		t.Fatalf("purge: %d, %v", n, err)
	}
	eventually(t, "the file shrinks when idle", func() bool { return pages() < full/2 })
}

// Results are deleted once they have expired.
func TestResultsExpire(t *testing.T) {
	b := openBroker(t, newFile(t))
	c := mustConsume(t, b, "q", 1)
	for range 10 {
		m := newMessage("q")
		m.Keep = time.Millisecond
		mustEnqueue(t, b, m)
		receive(t, c).Settle(broker.Settlement{Verdict: broker.Done})
	}
	flush(t, b)
	look := openConn(t, b.file)
	eventually(t, "expired results are deleted", func() bool {
		return mustInt(t, look, "SELECT count(*) FROM dtask_results") == 0
	})
}
