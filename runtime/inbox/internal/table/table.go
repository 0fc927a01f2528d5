// Package table is what package inbox asks of its table, dtask_inbox.
package table

import (
	"context"
	"fmt"
	"strings"
	"time"
)

const (
	// Kept is how long it is known that a message is done.
	Kept = 30 * 24 * time.Hour

	// ExpireEvery is after how many messages a process deletes rows that are older,
	// and expireMost how many: more than come.
	ExpireEvery = 100
	expireMost  = 200
)

const (
	look  = "SELECT count(*) FROM dtask_inbox WHERE store = '' AND task = '' AND id = ''"
	table = "CREATE TABLE IF NOT EXISTS dtask_inbox (store TEXT NOT NULL, task TEXT NOT NULL, id TEXT NOT NULL, done BIGINT NOT NULL, result TEXT, PRIMARY KEY (store, task, id))"
	index = "CREATE INDEX IF NOT EXISTS dtask_inbox_done ON dtask_inbox (done)"
)

// Statements are what is asked of the table. Times are in Unix milliseconds.
type Statements struct {
	Add    string // store, task, id, time; no row if there is one
	Result string // store, task, id
	Keep   string // result, store, task, id
	Expire string // time
}

// The statements of the databases.
var (
	Postgres = Statements{
		Add:    "INSERT INTO dtask_inbox (store, task, id, done) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
		Result: "SELECT result FROM dtask_inbox WHERE store = $1 AND task = $2 AND id = $3",
		Keep:   "UPDATE dtask_inbox SET result = $1 WHERE store = $2 AND task = $3 AND id = $4",
		Expire: fmt.Sprintf("DELETE FROM dtask_inbox WHERE (store, task, id) IN (SELECT store, task, id FROM dtask_inbox WHERE done < $1 ORDER BY done LIMIT %d)", expireMost),
	}
	SQLite = Statements{
		Add:    withQuestionMarks(Postgres.Add),
		Result: withQuestionMarks(Postgres.Result),
		Keep:   withQuestionMarks(Postgres.Keep),
		Expire: withQuestionMarks(Postgres.Expire),
	}
)

// withQuestionMarks writes parameters as SQLite's drivers want them. In the statements
// they stand in order, and each once.
func withQuestionMarks(statement string) string {
	return strings.NewReplacer("$1", "?", "$2", "?", "$3", "?", "$4", "?").Replace(statement)
}

// Create makes the table if it is missing. Two processes may do so at the same time.
func Create(ctx context.Context, exec func(context.Context, string) error) error {
	if exec(ctx, look) == nil {
		return nil
	}
	var err error
	for _, statement := range []string{table, index} {
		if err == nil {
			err = exec(ctx, statement)
		}
	}
	if err == nil || exec(ctx, look) == nil {
		return nil
	}
	if away := exec(ctx, "SELECT 1"); away != nil { // no word of the table then
		return fmt.Errorf("the database does not answer: %w", away)
	}
	return fmt.Errorf("table dtask_inbox cannot be made; let its owner run %q and %q, and grant this user SELECT, INSERT, UPDATE and DELETE (%w)", table, index, err)
}
