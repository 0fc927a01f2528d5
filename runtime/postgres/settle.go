package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// settlement is the outcome of a delivery on its way to the database.
type settlement struct {
	delivery *delivery
	verdict  broker.Verdict
	outcome  string            // the worker's word
	again    *broker.Message   // Requeue, Dead: the message as it is to be stored
	keeps    bool              // Done, Cancelled: that is kept
	result   []byte            // Done: the value
	then     []*broker.Message // what follows
	wait     time.Duration     // released: for how long the message is put off, if it is
}

// released is the verdict on a message that nobody has received.
const released broker.Verdict = 0

// An outcome counts only while its claim stands: the row is the owner's, and was not
// claimed again since.
const whileClaimed = " m.seq = s.seq AND m.owner = s.owner AND m.claim = s.claim"

const (
	// deleteDone is for outcomes of one owner whose messages were claimed equally
	// often: nearly all, as most are claimed once.
	deleteDone = "DELETE FROM dtask_messages WHERE seq = ANY ($1::bigint[]) AND owner = $2 AND claim = $3"

	deleteThen = "DELETE FROM dtask_messages m USING unnest($1::bigint[], $2::bigint[], $3::int[]) AS s (seq, owner, claim) WHERE" + whileClaimed + " RETURNING m.seq"

	releaseAll = "UPDATE dtask_messages m SET state = 0, owner = NULL FROM unnest($1::bigint[], $2::bigint[], $3::int[]) AS s (seq, owner, claim) WHERE" + whileClaimed

	// keepResults deletes messages, and keeps the results of those that it has deleted.
	keepResults = "WITH s AS (SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::int[], $4::bytea[], $5::bigint[], $6::bool[]) AS s (seq, owner, claim, value, keep, cancelled))," +
		" gone AS (DELETE FROM dtask_messages m USING s WHERE" + whileClaimed + " RETURNING m.seq, m.id, m.task)," +
		" kept AS (INSERT INTO dtask_results (id, task, value, expires, cancelled)" +
		" SELECT gone.id, gone.task, s.value, statement_timestamp() + s.keep * interval '1 millisecond', s.cancelled FROM gone JOIN s USING (seq)" +
		replaceResult + ") SELECT seq FROM gone"

	replaceResult = " ON CONFLICT (id) DO UPDATE SET task = excluded.task, value = excluded.value, expires = excluded.expires, cancelled = excluded.cancelled"
)

// The id of a message, the first column, never changes.
var storeAgain = func() string {
	var sets, arrays []string
	list := everyColumn[1:]
	for i, c := range list {
		value := "s." + columns[c].name
		if columns[c].name == "due" {
			value = "CASE WHEN s.dead THEN statement_timestamp() ELSE " + strings.ReplaceAll(dueNow, "v.", "s.") + " END"
		}
		sets = append(sets, columns[c].name+" = "+value)
		arrays = append(arrays, fmt.Sprintf("$%d::%s[]", i+5, columns[c].sql))
	}
	return "UPDATE dtask_messages m SET " + strings.Join(sets, ", ") +
		", state = CASE WHEN s.dead THEN 2 ELSE 0 END, owner = NULL, crashes = 0, quarantine = 0, cancelled = m.cancelled AND NOT s.dead" +
		" FROM unnest($1::bigint[], $2::bigint[], $3::int[], $4::bool[], " + strings.Join(arrays, ", ") + ")" +
		" AS s (seq, owner, claim, dead, " + namesOf(list, "") + ") WHERE" + whileClaimed + " RETURNING m.seq"
}()

// settling is what one transaction does.
type settling struct {
	done     map[fence][]int64 // to be deleted, and that is all
	result   []*settlement
	then     []*settlement // to be deleted, and others follow
	again    []*settlement
	released []*settlement
	putOff   []*settlement // released, for a while
	follows  bool          // something follows from one of them
}

// A fence is what outcomes of one statement have in common.
type fence struct {
	owner int64
	claim int32
}

func sortOut(ss []*settlement) (t settling) {
	t.done = make(map[fence][]int64)
	for _, s := range ss {
		d := s.delivery
		t.follows = t.follows || len(s.then) > 0
		switch {
		case s.verdict == released && s.wait > 0:
			t.putOff = append(t.putOff, s)
		case s.verdict == released:
			t.released = append(t.released, s)
		case s.verdict == broker.Requeue || s.verdict == broker.Dead:
			t.again = append(t.again, s)
		case s.keeps:
			t.result = append(t.result, s)
		case len(s.then) > 0:
			t.then = append(t.then, s)
		default:
			f := fence{d.owner, d.claim}
			t.done[f] = append(t.done[f], d.seq)
		}
	}
	return t
}

// settleAll stores outcomes in one transaction. If it has succeeded before, and only
// the answer was lost, it has no effect.
func (b *Broker) settleAll(ctx context.Context, q querier, ss []*settlement) error {
	t := sortOut(ss)
	if !t.follows {
		_, err := b.sendOutcomes(ctx, q, &t)
		return err
	}
	return pgx.BeginFunc(ctx, q.(pgxBeginner), func(tx pgx.Tx) error {
		valid, err := b.sendOutcomes(ctx, tx, &t)
		if err != nil {
			return err
		}
		var ms []*broker.Message
		for _, s := range ss {
			if valid[s.delivery.seq] {
				ms = append(ms, s.then...)
			}
		}
		if len(ms) == 0 {
			return nil
		}
		// A message that is there already is taken for the same.
		return b.insert(ctx, tx, ms, make([]bool, len(ms)))
	})
}

// sendOutcomes executes the statements of outcomes. It returns which of those that
// others may follow from were valid.
func (b *Broker) sendOutcomes(ctx context.Context, q querier, t *settling) (valid map[int64]bool, err error) {
	var batch pgx.Batch
	batch.Queue(planned)
	for f, seqs := range t.done {
		batch.Queue(b.in(deleteDone), seqs, f.owner, f.claim)
	}
	if len(t.released) > 0 {
		seqs, owners, claims := fences(t.released)
		batch.Queue(b.in(releaseAll), seqs, owners, claims)
	}
	if len(t.putOff) > 0 {
		seqs, owners, claims := fences(t.putOff)
		waits := make([]int64, len(t.putOff))
		for i, s := range t.putOff {
			waits[i] = s.wait.Microseconds()
		}
		batch.Queue(b.in(putOffAll), seqs, owners, claims, waits)
	}
	plain := batch.Len()
	if len(t.result) > 0 {
		seqs, owners, claims := fences(t.result)
		var values [][]byte
		var keeps []int64
		var cancelled []bool
		for _, s := range t.result {
			values = append(values, s.result)
			keeps = append(keeps, s.delivery.message.Keep.Milliseconds())
			cancelled = append(cancelled, s.verdict == broker.Cancelled)
		}
		batch.Queue(b.in(keepResults), seqs, owners, claims, values, keeps, cancelled)
	}
	if len(t.then) > 0 {
		seqs, owners, claims := fences(t.then)
		batch.Queue(b.in(deleteThen), seqs, owners, claims)
	}
	if len(t.again) > 0 {
		args, err := argsAgain(t.again)
		if err != nil {
			return nil, err
		}
		batch.Queue(b.in(storeAgain), args...)
	}
	if len(t.again)+len(t.released)+len(t.putOff) > 0 {
		batch.Queue(b.in(endCancelled))
	}
	valid = make(map[int64]bool)
	results := q.SendBatch(ctx, &batch)
	for i := range batch.Len() {
		if i < plain {
			if _, err := results.Exec(); err != nil {
				return nil, errors.Join(err, results.Close())
			}
			continue
		}
		r, err := results.Query()
		if err := rows(r, err, func(r pgx.Rows) error {
			var seq int64
			err := r.Scan(&seq)
			valid[seq] = true
			return err
		}); err != nil {
			return nil, errors.Join(err, results.Close())
		}
	}
	return valid, results.Close()
}

func fences(ss []*settlement) (seqs, owners []int64, claims []int32) {
	for _, s := range ss {
		seqs = append(seqs, s.delivery.seq)
		owners = append(owners, s.delivery.owner)
		claims = append(claims, s.delivery.claim)
	}
	return seqs, owners, claims
}

func argsAgain(ss []*settlement) ([]any, error) {
	seqs, owners, claims := fences(ss)
	dead := make([]bool, len(ss))
	ms := make([]*broker.Message, len(ss))
	for i, s := range ss {
		dead[i], ms[i] = s.verdict == broker.Dead, s.again
	}
	args := []any{seqs, owners, claims, dead}
	for _, c := range everyColumn[1:] {
		v, err := columns[c].values(ms)
		if err != nil {
			return nil, err
		}
		args = append(args, v)
	}
	return args, nil
}

// settled tells those whom outcomes concern that they are durable.
func (b *Broker) settled(ss []*settlement) {
	outcome := false
	var ms []*broker.Message
	for _, s := range ss {
		b.liveness.drop(s.delivery)
		if c := s.delivery.consumer; c.held.Add(-1) <= c.hungry.Load() {
			b.claimer.wakeUp()
		}
		b.claimer.leaveGate(s.delivery)
		if s.delivery.message.Keep > 0 && s.delivery.Cancelled() {
			outcome = true
		}
		switch {
		case s.verdict == released:
			m := &broker.Message{Queue: s.delivery.message.Queue, Priority: s.delivery.message.Priority}
			if s.wait > 0 {
				m.NotBefore = time.Now().Add(s.wait)
			}
			ms = append(ms, m)
		case s.verdict == broker.Requeue:
			ms = append(ms, s.again)
		case s.delivery.message.Keep > 0:
			outcome = true
		}
		ms = append(ms, s.then...)
	}
	if outcome {
		b.waiters.changed()
		b.notifier.notify(resultsTopic)
	}
	if len(ms) > 0 {
		b.arrived(ms)
	}
}
