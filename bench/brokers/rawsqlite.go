package brokers

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	_ "modernc.org/sqlite" // the driver
)

// A rawSchema is what a hand-written queue stores of a task.
type rawSchema struct {
	create string
	insert string                  // without the values
	values string                  // of a row
	args   func(body []byte) []any // of a row
	claim  string
	scan   func(*sql.Rows, *rawRow) error // of a claimed row
}

// bodyOnly is the least that can be stored: no retry, no delay, no priority,
// no dead letter and no second queue could be made of it.
var bodyOnly = rawSchema{
	create: `CREATE TABLE raw (seq INTEGER PRIMARY KEY, claimed INTEGER NOT NULL DEFAULT 0, body BLOB NOT NULL);
		CREATE INDEX ready ON raw (seq) WHERE claimed = 0`,
	insert: "INSERT INTO raw (body)",
	values: "(?)",
	claim: `UPDATE raw SET claimed = 1 WHERE seq IN
		(SELECT seq FROM raw WHERE claimed = 0 ORDER BY seq LIMIT ?) RETURNING seq, body`,
	args: func(body []byte) []any { return []any{body} },
	scan: func(rows *sql.Rows, r *rawRow) error { return rows.Scan(&r.seq, &r.body) },
}

// wholeMessage is what a task needs to be retried, delayed and looked at: the
// same work as that of dtask.
var wholeMessage = rawSchema{
	create: `CREATE TABLE raw (
			seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, task TEXT NOT NULL, queue TEXT NOT NULL, body BLOB NOT NULL,
			schema TEXT NOT NULL, priority INTEGER NOT NULL DEFAULT 0, attempt INTEGER NOT NULL DEFAULT 1, attempts INTEGER NOT NULL,
			enqueued_at INTEGER NOT NULL, due INTEGER NOT NULL, state INTEGER NOT NULL DEFAULT 0, owner INTEGER);
		CREATE INDEX ready ON raw (queue, priority, due) WHERE state = 0;
		CREATE INDEX running ON raw (owner) WHERE state = 1`,
	insert: "INSERT INTO raw (id, task, queue, body, schema, attempts, enqueued_at, due)",
	values: "(?, ?, ?, ?, ?, ?, ?, ?)",
	claim: `UPDATE raw SET state = 1, owner = 1 WHERE seq IN
		(SELECT seq FROM raw WHERE state = 0 AND queue = 'bench' AND priority = 0 AND due <= unixepoch('subsec') * 1000
			ORDER BY due, seq LIMIT ?)
		RETURNING seq, id, task, queue, body, schema, priority, attempt, attempts, enqueued_at, due`,
	args: func(body []byte) []any {
		now := time.Now().UnixMilli()
		return []any{uuid.Must(uuid.NewV7()).String(), "bench.Task", "bench", body, "0123456789abcdef", 4, now, now}
	},
	scan: func(rows *sql.Rows, r *rawRow) error {
		return rows.Scan(&r.seq, &r.id, &r.task, &r.queue, &r.body, &r.schema, &r.priority, &r.attempt, &r.attempts, &r.enqueuedAt, &r.due)
	},
}

// rawSQLite is a hand-written queue at its best: WAL and synchronous=FULL, one
// goroutine that writes, and whatever is pending (tasks, completions, a claim
// of 500) in one transaction.
type rawSQLite struct {
	db      *sql.DB
	conn    *sql.Conn
	schema  rawSchema
	handle  func(task)
	workers int

	inserts chan rawInsert
	settled chan int64 // of a row
	hungry  chan struct{}
	claimed chan *rawRow // nil while there is no worker
	started chan chan *rawRow
	quit    chan struct{} // closed to end the workers
	handled sync.WaitGroup
	finish  chan struct{} // closed to end the writer
	ended   sync.WaitGroup
	err     error // valid once the writer has ended

	insert, remove map[int]*sql.Stmt // by the number of rows
	claim          *sql.Stmt
}

type rawInsert struct {
	args []any
	done chan error
}

type rawRow struct {
	seq  int64
	body []byte

	id, task, queue, schema                      string
	priority, attempt, attempts, enqueuedAt, due int64
}

const claimSize = 500

// chunks are the numbers of rows for which there are statements.
var chunks = []int{64, 8, 1}

func openSQLite(path string) (*sql.DB, error) {
	return sql.Open("sqlite", "file:"+strings.TrimPrefix(path, "sqlite:")+
		"?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=busy_timeout(5000)&_txlock=immediate")
}

// openRawSQLite returns what opens a hand-written queue.
func openRawSQLite(schema rawSchema) func(context.Context, setup) (system, error) {
	return func(ctx context.Context, s setup) (system, error) { return newRawSQLite(ctx, schema, s) }
}

func newRawSQLite(ctx context.Context, schema rawSchema, s setup) (system, error) {
	db, err := openSQLite(s.place)
	if err != nil {
		return nil, err
	}
	r := &rawSQLite{
		db: db, schema: schema, handle: s.handle, workers: s.concurrency,
		inserts: make(chan rawInsert, 1024),
		settled: make(chan int64, 2*claimSize),
		hungry:  make(chan struct{}, 1),
		started: make(chan chan *rawRow),
		quit:    make(chan struct{}),
		finish:  make(chan struct{}),
	}
	if err := r.prepare(ctx); err != nil {
		return nil, err
	}
	r.ended.Go(func() { r.err = r.write(context.WithoutCancel(ctx)) })
	return r, nil
}

func (r *rawSQLite) prepare(ctx context.Context) (err error) {
	if r.conn, err = r.db.Conn(ctx); err != nil {
		return err
	}
	if _, err := r.conn.ExecContext(ctx, r.schema.create); err != nil {
		return err
	}
	r.insert, r.remove = make(map[int]*sql.Stmt), make(map[int]*sql.Stmt)
	for _, n := range chunks {
		values := strings.Repeat(","+r.schema.values, n)[1:]
		if r.insert[n], err = r.conn.PrepareContext(ctx, r.schema.insert+" VALUES "+values); err != nil {
			return err
		}
		marks := strings.Repeat(",?", n)[1:]
		if r.remove[n], err = r.conn.PrepareContext(ctx, "DELETE FROM raw WHERE seq IN ("+marks+")"); err != nil {
			return err
		}
	}
	r.claim, err = r.conn.PrepareContext(ctx, r.schema.claim)
	return err
}

func (r *rawSQLite) enqueue(ctx context.Context, t task) error {
	body, err := json.Marshal(t)
	if err != nil {
		return err
	}
	in := rawInsert{r.schema.args(body), make(chan error, 1)}
	r.inserts <- in
	select {
	case err := <-in.done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// start hands the writer a channel for what it claims. A worker that takes a
// task from the lower half of it asks for more.
func (r *rawSQLite) start(context.Context) error {
	claimed := make(chan *rawRow, 2*claimSize)
	for range r.workers {
		r.handled.Go(func() {
			for {
				select {
				case row := <-claimed:
					var t task
					if json.Unmarshal(row.body, &t) == nil {
						r.handle(t)
					}
					r.settled <- row.seq
					if len(claimed) < claimSize {
						select {
						case r.hungry <- struct{}{}:
						default:
						}
					}
				case <-r.quit:
					return
				}
			}
		})
	}
	r.started <- claimed
	return nil
}

// write is the one writer.
func (r *rawSQLite) write(ctx context.Context) error {
	var pending []rawInsert
	var done []int64
	ready := true // there may be unclaimed rows
	for {
		pending, done = pending[:0], done[:0]
		demand := false
		select {
		case in := <-r.inserts:
			pending = append(pending, in)
		case seq := <-r.settled:
			done = append(done, seq)
		case <-r.hungry:
			if !ready {
				continue
			}
			demand = true
		case r.claimed = <-r.started:
			demand = true
		case <-r.finish:
			return nil
		}
		for more := true; more; {
			select {
			case in := <-r.inserts:
				pending = append(pending, in)
			case seq := <-r.settled:
				done = append(done, seq)
			case <-r.hungry:
				demand = true
			default:
				more = false
			}
		}
		ready = ready || len(pending) > 0
		claim := r.claimed != nil && ready && (demand || len(r.claimed) < claimSize)
		rows, err := r.commit(ctx, pending, done, claim)
		for _, in := range pending {
			in.done <- err
		}
		if err != nil {
			return err
		}
		if claim {
			ready = len(rows) == claimSize
			for _, row := range rows {
				r.claimed <- row
			}
		}
	}
}

// commit writes everything in one transaction.
func (r *rawSQLite) commit(ctx context.Context, inserts []rawInsert, done []int64, claim bool) (rows []*rawRow, err error) {
	tx, err := r.conn.BeginTx(ctx, nil)
	if err != nil {
		return nil, err
	}
	defer tx.Rollback()
	var args []any
	width := 1
	for _, in := range inserts {
		args, width = append(args, in.args...), len(in.args)
	}
	if err := inChunks(ctx, r.insert, args, width); err != nil {
		return nil, err
	}
	args = args[:0]
	for _, seq := range done {
		args = append(args, seq)
	}
	if err := inChunks(ctx, r.remove, args, 1); err != nil {
		return nil, err
	}
	if claim {
		if rows, err = r.take(ctx); err != nil {
			return nil, err
		}
	}
	return rows, tx.Commit()
}

// inChunks executes statements for all rows. Each row has width arguments.
func inChunks(ctx context.Context, statements map[int]*sql.Stmt, args []any, width int) error {
	for _, n := range chunks {
		for ; len(args) >= n*width; args = args[n*width:] {
			if _, err := statements[n].ExecContext(ctx, args[:n*width]...); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *rawSQLite) take(ctx context.Context) ([]*rawRow, error) {
	found, err := r.claim.QueryContext(ctx, claimSize)
	if err != nil {
		return nil, err
	}
	defer found.Close()
	var rows []*rawRow
	for found.Next() {
		var row rawRow
		if err := r.schema.scan(found, &row); err != nil {
			return nil, err
		}
		rows = append(rows, &row)
	}
	return rows, found.Err()
}

func (r *rawSQLite) stop(ctx context.Context) error {
	var left int
	close(r.quit)
	r.handled.Wait()
	close(r.finish)
	r.ended.Wait()
	// The writer is gone. What was settled last has yet to be written.
	var done []int64
	for len(r.settled) > 0 {
		done = append(done, <-r.settled)
	}
	_, err := r.commit(ctx, nil, done, false)
	if err == nil {
		err = r.conn.QueryRowContext(ctx, "SELECT count(*) FROM raw").Scan(&left)
	}
	if err == nil && left > 0 {
		err = errors.New("tasks are left in the table")
	}
	return errors.Join(r.err, err, r.conn.Close(), r.db.Close())
}
