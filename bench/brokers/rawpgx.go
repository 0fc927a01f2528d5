package brokers

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// The queue of rawPgx, with what a task needs to be retried, delayed and looked at: the
// same work as that of dtask.
const (
	rawPgxCreate = `CREATE TABLE IF NOT EXISTS raw (
			seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, id text NOT NULL UNIQUE, task text NOT NULL, queue text NOT NULL, body bytea NOT NULL,
			schema text NOT NULL, priority smallint NOT NULL DEFAULT 0, attempt integer NOT NULL DEFAULT 1, attempts integer NOT NULL,
			enqueued_at timestamptz NOT NULL, due timestamptz NOT NULL, state smallint NOT NULL DEFAULT 0, owner bigint);
		CREATE INDEX IF NOT EXISTS raw_ready ON raw (queue, priority, due, seq) WHERE state = 0;
		CREATE INDEX IF NOT EXISTS raw_running ON raw (owner) WHERE state = 1`
	rawPgxInsert = `INSERT INTO raw (id, task, queue, body, schema, attempts, enqueued_at, due)
		SELECT id, 'bench.Task', 'bench', body, '0123456789abcdef', 4, now(), now() FROM unnest($1::text[], $2::bytea[]) AS u (id, body)`
	rawPgxClaim = `UPDATE raw SET state = 1, owner = 1 WHERE ctid = ANY (ARRAY(
			SELECT ctid FROM raw WHERE state = 0 AND queue = 'bench' AND priority = 0 AND due <= statement_timestamp()
			ORDER BY due, seq LIMIT 500 FOR UPDATE SKIP LOCKED))
		RETURNING seq, id, task, queue, body, schema, priority, attempt, attempts, enqueued_at, due`
	rawPgxSettle = "DELETE FROM raw WHERE seq = ANY ($1::bigint[])"
)

// rawPgx is a hand-written queue at its best: two goroutines that insert, each all that
// is pending in one statement; one that claims 500 at a time, and one that settles
// whatever is done.
type rawPgx struct {
	pool    *pgxpool.Pool
	handle  func(task)
	workers int

	inserts chan rawPgxInsertion
	arrived chan struct{} // 1: tasks were inserted
	claimed chan *rawPgxRow
	settled chan int64
	quit    context.CancelFunc
	working sync.WaitGroup // claimer and workers
	storing sync.WaitGroup // inserters and the settler
	mu      sync.Mutex
	err     error
}

type rawPgxInsertion struct {
	id   string
	body []byte
	done chan error
}

type rawPgxRow struct {
	seq                     int64
	id, task, queue, schema string
	body                    []byte
	priority                int16
	attempt, attempts       int32
	enqueuedAt, due         time.Time
}

func openRawPgx(ctx context.Context, s setup) (system, error) {
	config, err := pgxpool.ParseConfig(s.place)
	if err != nil {
		return nil, err
	}
	config.MaxConns = 4
	r := &rawPgx{
		handle: s.handle, workers: s.concurrency,
		inserts: make(chan rawPgxInsertion, 1024),
		arrived: make(chan struct{}, 1),
		claimed: make(chan *rawPgxRow, 2*claimSize),
		settled: make(chan int64, 2*claimSize),
	}
	if r.pool, err = pgxpool.NewWithConfig(ctx, config); err != nil {
		return nil, err
	}
	if _, err := r.pool.Exec(ctx, rawPgxCreate); err != nil {
		return nil, err
	}
	for range 2 {
		r.storing.Go(func() { r.insert(context.WithoutCancel(ctx)) })
	}
	return r, nil
}

func (r *rawPgx) fail(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.err = errors.Join(r.err, err)
}

func (r *rawPgx) enqueue(ctx context.Context, t task) error {
	body, err := json.Marshal(t)
	if err != nil {
		return err
	}
	in := rawPgxInsertion{uuid.Must(uuid.NewV7()).String(), body, make(chan error, 1)}
	r.inserts <- in
	select {
	case err := <-in.done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// insert inserts what is pending, again and again.
func (r *rawPgx) insert(ctx context.Context) {
	for in := range r.inserts {
		all := drainChannel([]rawPgxInsertion{in}, r.inserts)
		ids, bodies := make([]string, len(all)), make([][]byte, len(all))
		for i, in := range all {
			ids[i], bodies[i] = in.id, in.body
		}
		_, err := r.pool.Exec(ctx, rawPgxInsert, ids, bodies)
		for _, in := range all {
			in.done <- err
		}
		select {
		case r.arrived <- struct{}{}:
		default:
		}
	}
}

// drainChannel adds what is in a channel, up to claimSize.
func drainChannel[T any](all []T, from <-chan T) []T {
	for len(all) < claimSize {
		select {
		case v, ok := <-from:
			if !ok {
				return all
			}
			all = append(all, v)
		default:
			return all
		}
	}
	return all
}

func (r *rawPgx) start(ctx context.Context) error {
	ctx, r.quit = context.WithCancel(context.WithoutCancel(ctx))
	r.storing.Go(func() { r.settle(context.WithoutCancel(ctx)) })
	r.working.Go(func() { r.claim(ctx) })
	for range r.workers {
		r.working.Go(func() {
			for row := range r.claimed {
				var t task
				if json.Unmarshal(row.body, &t) == nil {
					r.handle(t)
				}
				r.settled <- row.seq
			}
		})
	}
	return nil
}

// claim claims as long as there are tasks, and waits until some arrive.
func (r *rawPgx) claim(ctx context.Context) {
	defer close(r.claimed)
	for {
		found, err := r.pool.Query(ctx, rawPgxClaim)
		rows, err := pgx.CollectRows(found, func(f pgx.CollectableRow) (*rawPgxRow, error) {
			var row rawPgxRow
			return &row, f.Scan(&row.seq, &row.id, &row.task, &row.queue, &row.body, &row.schema, &row.priority, &row.attempt, &row.attempts, &row.enqueuedAt, &row.due)
		})
		if err != nil {
			if ctx.Err() == nil {
				r.fail(err)
			}
			return
		}
		slices.SortFunc(rows, func(a, b *rawPgxRow) int { return int(a.seq - b.seq) })
		for _, row := range rows {
			r.claimed <- row
		}
		if len(rows) > 0 {
			continue
		}
		select {
		case <-r.arrived:
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return
		}
	}
}

// settle deletes what is done.
func (r *rawPgx) settle(ctx context.Context) {
	for seq := range r.settled {
		if _, err := r.pool.Exec(ctx, rawPgxSettle, drainChannel([]int64{seq}, r.settled)); err != nil {
			r.fail(err)
		}
	}
}

func (r *rawPgx) stop(ctx context.Context) error {
	if r.quit != nil {
		r.quit()
		r.working.Wait()
		close(r.settled)
	}
	close(r.inserts)
	r.storing.Wait()
	var left int
	err := r.pool.QueryRow(ctx, "SELECT count(*) FROM raw").Scan(&left)
	if err == nil && left > 0 {
		err = errors.New("tasks are left in the table")
	}
	r.pool.Close()
	return errors.Join(r.err, err)
}
