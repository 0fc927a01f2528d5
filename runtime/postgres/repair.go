package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	// freeOwnerless frees messages of consumers that are not known. A process that others
	// took for dead may just have claimed them.
	freeOwnerless = "UPDATE dtask_messages m SET state = 0, owner = NULL WHERE state = 1 AND NOT EXISTS (SELECT FROM dtask_consumers c WHERE c.id = m.owner)"

	heldByTable = "SELECT seq FROM dtask_messages WHERE state = 1 AND owner = ANY (ARRAY(SELECT id FROM dtask_consumers WHERE worker = $1))"
	freeLoose   = "UPDATE dtask_messages SET state = 0, owner = NULL WHERE state = 1 AND seq = ANY ($1::bigint[])" +
		" AND owner = ANY (ARRAY(SELECT id FROM dtask_consumers WHERE worker = $2))"

	// A few at a time, and each by one process.
	deleteExpired = "DELETE FROM dtask_results WHERE id = ANY (ARRAY(SELECT id FROM dtask_results WHERE expires <= statement_timestamp()" +
		" ORDER BY expires LIMIT $1 FOR UPDATE SKIP LOCKED))"
	deleteProcesses = "DELETE FROM dtask_processes WHERE seen < statement_timestamp() - $1 * interval '1 millisecond'"
	forgetOrphans   = "DELETE FROM dtask_consumers c WHERE NOT EXISTS (SELECT FROM dtask_workers w WHERE w.id = c.worker)"

	// expiredPerStep is how many expired results one statement deletes, and
	// expiryTime how long that goes on.
	expiredPerStep = 1000
	expiryTime     = 500 * time.Millisecond
)

// repair frees messages that nobody holds, and deletes what has expired.
func (k *liveness) repair(ctx context.Context) error {
	b := k.b
	if err := b.try(ctx, k.freeLoose); err != nil {
		return err
	}
	return b.try(ctx, func(ctx context.Context, q querier) error {
		if _, err := q.Exec(ctx, b.in(forgetOrphans)); err != nil {
			return err
		}
		n, err := b.free(ctx, q, freeOwnerless)
		if err != nil {
			return err
		}
		if n > 0 {
			b.log.Warn("messages of no consumer are delivered again", "messages", n, "database", b.where)
		}
		if _, err := q.Exec(ctx, b.in(deleteProcesses), announced.Milliseconds()); err != nil {
			return err
		}
		for begin := time.Now(); time.Since(begin) < expiryTime; {
			tag, err := q.Exec(ctx, b.in(deleteExpired), expiredPerStep)
			if err != nil || tag.RowsAffected() < expiredPerStep {
				return err
			}
		}
		return nil
	})
}

// freeLoose frees what this process holds by the table, but does not know of: the
// answer to a claim was lost. What is on its way at one look is known at the next.
func (k *liveness) freeLoose(ctx context.Context, q querier) error {
	b := k.b
	var seqs []int64
	r, err := q.Query(ctx, b.in(heldByTable), k.worker.Load())
	if err := rows(r, err, func(r pgx.Rows) error {
		var seq int64
		err := r.Scan(&seq)
		seqs = append(seqs, seq)
		return err
	}); err != nil {
		return err
	}
	if seqs = k.lost(seqs); len(seqs) == 0 {
		return nil
	}
	b.log.Warn("messages are delivered again, as the answer to their claim was lost", "messages", len(seqs), "database", b.where)
	if _, err := b.free(ctx, q, freeLoose, seqs, k.worker.Load()); err != nil {
		return err
	}
	for _, c := range b.claimer.all() {
		b.claimer.hint(c.queue, hint{})
	}
	return nil
}

// lost returns what is loose for the second time.
func (k *liveness) lost(seqs []int64) (lost []int64) {
	flight := k.b.claimer.flight.Load()
	k.mu.Lock()
	defer k.mu.Unlock()
	before := k.loose
	if k.flight == flight && flight%2 == 1 { // still the same claim: it may have these
		before = nil
	}
	k.loose, k.flight = make(map[int64]bool), flight
	for _, seq := range seqs {
		_, held := k.held[seq]
		switch {
		case held:
		case before[seq]:
			lost = append(lost, seq)
		default:
			k.loose[seq] = true
			k.doubt() // look again at the next heartbeat
		}
	}
	return lost
}
