package postgres

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
)

// When a process dies, nobody knows which of the messages in its hands was to blame.
// So each of them loses an attempt, and one that has none left goes to the quarantine:
// it is run while its process runs nothing else (gate.go). Only if it was the one
// running message of a process that died, and no other process died at that time, as
// all do by one kill for want of memory, it was that message.
//
// These are the values of the column quarantine, beside 0.
const diedAlone = 2 // the worker that gets it moves it to the dead letters; 1: to be run alone

const (
	ofDead      = " WHERE state = 1 AND owner = ANY ($1::bigint[])"
	countOfDead = "SELECT count(*) FROM dtask_messages" + ofDead

	// countBeside counts what a suspect would run beside: what its process runs, and
	// other suspects of any process. Two that die at the same time, again and again,
	// would clear each other.
	countBeside = "SELECT count(*) FROM dtask_messages WHERE state = 1 AND (quarantine = 1 OR owner = ANY (ARRAY(SELECT id FROM dtask_consumers WHERE worker = $1)))"

	// countSuspects counts the messages that run alone: one, at most.
	countSuspects = "SELECT count(*) FROM dtask_messages WHERE state = 1 AND quarantine = 1"

	// freeMessages makes running messages wait again after a crash. The number of
	// crashes is bounded, so that it can be added to the attempts.
	freeMessages = "UPDATE dtask_messages SET state = 0, owner = NULL, crashes = least(crashes + 1, 1000000)," +
		" quarantine = CASE WHEN quarantine = 0 AND attempt + crashes + 1 >= attempts THEN 1 ELSE quarantine END" + ofDead

	// A verdict waits until those who died at the same time have been found.
	convict = "UPDATE dtask_messages SET quarantine = 2, due = statement_timestamp() + $2 * interval '1 millisecond'" + ofDead + " AND quarantine = 1"
	acquit  = "UPDATE dtask_messages SET quarantine = 1, due = statement_timestamp() WHERE state = 0 AND quarantine > 0 AND quarantine = 2 AND due > statement_timestamp()"

	noteDeath = "INSERT INTO dtask_deaths (worker, finder, newest, seen, at) SELECT $1, $2, coalesce((SELECT max(id) FROM dtask_consumers), 0), $3, statement_timestamp()" +
		" ON CONFLICT (worker) DO NOTHING"
	forgetDeaths = "DELETE FROM dtask_deaths WHERE at < statement_timestamp() - interval '1 minute'"
	otherLive    = "SELECT count(*) FROM dtask_workers WHERE id <> $1 AND id <> $2"

	// diedTogether asks whether another process has died that the dead one did not
	// outlive: that was heard of last at that time, was entered then, and did not
	// notice it.
	diedTogether = "SELECT count(*) FROM dtask_deaths WHERE worker <> $1 AND finder <> $1 AND newest >= $2" +
		" AND seen BETWEEN $3::timestamptz - $4 * interval '1 millisecond' AND $3::timestamptz + $4 * interval '1 millisecond'"
)

// sameTime is how far apart processes may have been heard of last that died of one
// cause, and how far apart that may be noticed.
const sameTime = 2 * heartbeat

// deadProcess is a process that is gone, or does nothing.
type deadProcess struct {
	worker    int64
	seen      time.Time
	suspended bool // it holds its lock
}

// lookForDead frees the messages of processes that are not heard of.
func (k *liveness) lookForDead(ctx context.Context) error {
	if !k.judges(time.Now()) {
		return nil
	}
	b := k.b
	var silent []int64
	if err := b.try(ctx, func(ctx context.Context, q querier) error {
		silent = nil
		r, err := q.Query(ctx, b.in("SELECT id FROM dtask_workers WHERE id <> $1 AND seen < clock_timestamp() - $2 * interval '1 millisecond'"), k.worker.Load(), silence.Milliseconds())
		return rows(r, err, func(r pgx.Rows) error {
			var id int64
			err := r.Scan(&id)
			silent = append(silent, id)
			return err
		})
	}); err != nil {
		return err
	}
	for _, worker := range silent {
		var queues []string
		if err := b.try(ctx, func(ctx context.Context, q querier) error {
			return pgx.BeginFunc(ctx, q.(pgxBeginner), func(tx pgx.Tx) (err error) {
				queues, err = k.bury(ctx, tx, worker)
				return err
			})
		}); err != nil {
			return err
		}
		for _, queue := range queues {
			b.claimer.hint(queue, hint{})
			b.notifier.notify(queue)
		}
	}
	return nil
}

// bury frees the messages of a process if it is dead, and forgets it. It returns its
// queues.
func (k *liveness) bury(ctx context.Context, tx pgx.Tx, worker int64) (queues []string, err error) {
	b := k.b
	d := deadProcess{worker: worker}
	var session, expired bool
	err = tx.QueryRow(ctx, b.in("SELECT seen, session, seen < clock_timestamp() - $2 * interval '1 millisecond' FROM dtask_workers"+
		" WHERE id = $1 AND seen < clock_timestamp() - $3 * interval '1 millisecond' FOR UPDATE SKIP LOCKED"),
		worker, lease.Milliseconds(), silence.Milliseconds()).Scan(&d.seen, &session, &expired)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil // it is not, or another process does the same
	}
	if err != nil {
		return nil, err
	}
	free := false
	if session {
		if err := tx.QueryRow(ctx, "SELECT pg_try_advisory_xact_lock($1, $2)", b.lockClass(), lockNumber(worker)).Scan(&free); err != nil {
			return nil, err
		}
	}
	if !free && !expired {
		return nil, nil
	}
	d.suspended = session && !free
	var consumers []int64
	r, err := tx.Query(ctx, b.in("SELECT id, queue FROM dtask_consumers WHERE worker = $1"), worker)
	if err := rows(r, err, func(r pgx.Rows) error {
		var id int64
		var queue string
		err := r.Scan(&id, &queue)
		consumers, queues = append(consumers, id), append(queues, queue)
		return err
	}); err != nil {
		return nil, err
	}
	if len(consumers) > 0 {
		if err := k.freeOfDead(ctx, tx, d, consumers); err != nil {
			return nil, err
		}
	}
	if _, err := tx.Exec(ctx, b.in("DELETE FROM dtask_consumers WHERE worker = $1"), worker); err != nil {
		return nil, err
	}
	_, err = tx.Exec(ctx, b.in("DELETE FROM dtask_workers WHERE id = $1"), worker)
	return queues, err
}

// freeOfDead frees the messages of a dead process, and finds one guilty if that is
// proven.
func (k *liveness) freeOfDead(ctx context.Context, tx pgx.Tx, d deadProcess, consumers []int64) error {
	b := k.b
	var running int
	if err := tx.QueryRow(ctx, b.in(countOfDead), consumers).Scan(&running); err != nil || running == 0 {
		return err
	}
	if d.suspended { // which is nobody's fault
		b.log.Warn("a worker process is suspended, or hangs; its tasks run again", "worker", d.worker, "tasks", running, "database", b.where)
		_, err := b.free(ctx, tx, freeMessages, consumers)
		return err
	}
	if _, err := tx.Exec(ctx, b.in(forgetDeaths)); err != nil {
		return err
	}
	var together int
	err := tx.QueryRow(ctx, b.in(diedTogether), d.worker, slices.Min(consumers), d.seen, sameTime.Milliseconds()).Scan(&together)
	switch {
	case err != nil:
		return err
	case together > 0:
		_, err = tx.Exec(ctx, b.in(acquit))
	case running == 1:
		err = k.convict(ctx, tx, d, consumers)
	}
	if err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, b.in(noteDeath), d.worker, k.worker.Load(), d.seen); err != nil {
		return err
	}
	_, err = b.free(ctx, tx, freeMessages, consumers)
	return err
}

// convict finds the only message of a dead process guilty if it was in quarantine.
func (k *liveness) convict(ctx context.Context, tx pgx.Tx, d deadProcess, consumers []int64) error {
	var others int
	if err := tx.QueryRow(ctx, k.b.in(otherLive), d.worker, k.worker.Load()).Scan(&others); err != nil {
		return err
	}
	wait := time.Duration(0)
	if others > 0 { // or they died as well
		wait = sameTime
	}
	_, err := tx.Exec(ctx, k.b.in(convict), consumers, wait.Milliseconds())
	return err
}
