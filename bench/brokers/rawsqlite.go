package brokers

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"strings"
	"sync"

	_ "modernc.org/sqlite" // the driver
)

// rawSQLite is a hand-written queue at its best: WAL and synchronous=FULL, one
// goroutine that writes, and whatever is pending (tasks, completions, a claim
// of 500) in one transaction.
type rawSQLite struct {
	db      *sql.DB
	conn    *sql.Conn
	handle  func(task)
	workers int

	inserts chan rawInsert
	settled chan int64 // ids
	hungry  chan struct{}
	claimed chan rawRow // nil while there is no worker
	started chan chan rawRow
	quit    chan struct{} // closed to end the workers
	handled sync.WaitGroup
	finish  chan struct{} // closed to end the writer
	ended   sync.WaitGroup
	err     error // valid once the writer has ended

	insert, remove map[int]*sql.Stmt // by the number of rows
	claim          *sql.Stmt
}

type rawInsert struct {
	body []byte
	done chan error
}

type rawRow struct {
	id   int64
	body []byte
}

const claimSize = 500

// chunks are the numbers of rows for which there are statements.
var chunks = []int{64, 8, 1}

func openSQLite(path string) (*sql.DB, error) {
	return sql.Open("sqlite", "file:"+strings.TrimPrefix(path, "sqlite:")+
		"?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=busy_timeout(5000)&_txlock=immediate")
}

func openRawSQLite(ctx context.Context, s setup) (system, error) {
	db, err := openSQLite(s.place)
	if err != nil {
		return nil, err
	}
	r := &rawSQLite{
		db: db, handle: s.handle, workers: s.concurrency,
		inserts: make(chan rawInsert, 1024),
		settled: make(chan int64, 2*claimSize),
		hungry:  make(chan struct{}, 1),
		started: make(chan chan rawRow),
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
	if _, err := r.conn.ExecContext(ctx, `
		CREATE TABLE raw (id INTEGER PRIMARY KEY, claimed INTEGER NOT NULL DEFAULT 0, body BLOB NOT NULL);
		CREATE INDEX ready ON raw (id) WHERE claimed = 0`); err != nil {
		return err
	}
	r.insert, r.remove = make(map[int]*sql.Stmt), make(map[int]*sql.Stmt)
	for _, n := range chunks {
		values := strings.Repeat(",(?)", n)[1:]
		if r.insert[n], err = r.conn.PrepareContext(ctx, "INSERT INTO raw (body) VALUES "+values); err != nil {
			return err
		}
		marks := strings.Repeat(",?", n)[1:]
		if r.remove[n], err = r.conn.PrepareContext(ctx, "DELETE FROM raw WHERE id IN ("+marks+")"); err != nil {
			return err
		}
	}
	r.claim, err = r.conn.PrepareContext(ctx, `UPDATE raw SET claimed = 1 WHERE id IN
		(SELECT id FROM raw WHERE claimed = 0 ORDER BY id LIMIT ?) RETURNING id, body`)
	return err
}

func (r *rawSQLite) enqueue(ctx context.Context, t task) error {
	body, err := json.Marshal(t)
	if err != nil {
		return err
	}
	in := rawInsert{body, make(chan error, 1)}
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
	claimed := make(chan rawRow, 2*claimSize)
	for range r.workers {
		r.handled.Go(func() {
			for {
				select {
				case row := <-claimed:
					var t task
					if json.Unmarshal(row.body, &t) == nil {
						r.handle(t)
					}
					r.settled <- row.id
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
		case id := <-r.settled:
			done = append(done, id)
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
			case id := <-r.settled:
				done = append(done, id)
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
func (r *rawSQLite) commit(ctx context.Context, inserts []rawInsert, done []int64, claim bool) (rows []rawRow, err error) {
	tx, err := r.conn.BeginTx(ctx, nil)
	if err != nil {
		return nil, err
	}
	defer tx.Rollback()
	args := make([]any, 0, max(len(inserts), len(done)))
	for _, in := range inserts {
		args = append(args, in.body)
	}
	if err := inChunks(ctx, r.insert, args); err != nil {
		return nil, err
	}
	args = args[:0]
	for _, id := range done {
		args = append(args, id)
	}
	if err := inChunks(ctx, r.remove, args); err != nil {
		return nil, err
	}
	if claim {
		if rows, err = r.take(ctx); err != nil {
			return nil, err
		}
	}
	return rows, tx.Commit()
}

func inChunks(ctx context.Context, statements map[int]*sql.Stmt, args []any) error {
	for _, n := range chunks {
		for ; len(args) >= n; args = args[n:] {
			if _, err := statements[n].ExecContext(ctx, args[:n]...); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *rawSQLite) take(ctx context.Context) ([]rawRow, error) {
	found, err := r.claim.QueryContext(ctx, claimSize)
	if err != nil {
		return nil, err
	}
	defer found.Close()
	var rows []rawRow
	for found.Next() {
		var row rawRow
		if err := found.Scan(&row.id, &row.body); err != nil {
			return nil, err
		}
		rows = append(rows, row)
	}
	return rows, found.Err()
}

func (r *rawSQLite) stop(ctx context.Context) error {
	var left int
	close(r.quit)
	r.handled.Wait()
	close(r.finish)
	r.ended.Wait()
	// The writer is gone; what was settled last is still to be written.
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
