package postgres

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/dtaskhq/dtask/runtime/broker"
)

var _ broker.Pauser = (*Broker)(nil)

const (
	// inForce is the condition that a pause, a row of dtask_pauses, goes on.
	inForce = "(ends IS NULL OR ends > statement_timestamp())"

	queuePaused = "EXISTS (SELECT FROM dtask_pauses WHERE what = 'queue' AND name = $1 AND " + inForce + ")"

	// selectPauses has the time with each pause, so that what is left of it is known
	// by the clock of the database.
	selectPauses = "SELECT what, name, since, ends, statement_timestamp() FROM dtask_pauses WHERE " + inForce

	insertPause = "INSERT INTO dtask_pauses (what, name, since, ends) VALUES ($1, $2, coalesce($3, statement_timestamp()), $4)" +
		" ON CONFLICT (what, name) DO UPDATE SET since = excluded.since, ends = excluded.ends"
	deletePause = "DELETE FROM dtask_pauses WHERE what = $1 AND name = $2 OR ends <= statement_timestamp()"

	putOffAll = "UPDATE dtask_messages m SET state = 0, owner = NULL, due = statement_timestamp() + s.wait * interval '1 microsecond'" +
		" FROM unnest($1::bigint[], $2::bigint[], $3::int[], $4::bigint[]) AS s (seq, owner, claim, wait) WHERE" + whileClaimed
)

// Pause implements [broker.Pauser]. From then on no claim from a paused queue succeeds;
// what was claimed goes back when its process hears of it.
func (b *Broker) Pause(ctx context.Context, p broker.Pause) error {
	if err := p.Validate(); err != nil {
		return err
	}
	err := b.call(ctx, func(ctx context.Context, q querier) error {
		var batch pgx.Batch
		if p.What == broker.PauseQueue {
			batch.Queue(b.in("INSERT INTO dtask_queues (name) VALUES ($1) ON CONFLICT DO NOTHING"), p.Name)
		}
		batch.Queue(b.in(insertPause), string(p.What), p.Name, orNull(p.Since), orNull(p.Until))
		_, err := affected(ctx, q, &batch)
		return err
	})
	b.tellControls(err)
	return err
}

// Resume implements [broker.Pauser].
func (b *Broker) Resume(ctx context.Context, what broker.Pausable, name string) error {
	err := b.call(ctx, func(ctx context.Context, q querier) error {
		_, err := q.Exec(ctx, b.in(deletePause), string(what), name)
		return err
	})
	b.tellControls(err)
	return err
}

// tellControls tells all processes, this one too, that operators have changed
// something, unless that has failed.
func (b *Broker) tellControls(err error) {
	if err == nil {
		b.claimer.lookAtControls()
		b.notifier.notify(controlsTopic)
	}
}

func orNull(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// Pauses implements [broker.Pauser].
func (b *Broker) Pauses(ctx context.Context) (ps []broker.Pause, err error) {
	err = b.call(ctx, func(ctx context.Context, q querier) error {
		ps = nil
		r, err := q.Query(ctx, b.in(selectPauses))
		return readPauses(r, err, func(p broker.Pause, _ time.Time) { ps = append(ps, p) })
	})
	slices.SortFunc(ps, broker.Pause.Compare)
	return ps, err
}

// readPauses calls f with each pause of selectPauses, and the time there.
func readPauses(r pgx.Rows, err error, f func(p broker.Pause, now time.Time)) error {
	return rows(r, err, func(r pgx.Rows) error {
		var p broker.Pause
		var ends *time.Time
		var now time.Time
		if err := r.Scan((*string)(&p.What), &p.Name, &p.Since, &ends, &now); err != nil {
			return err
		}
		if ends != nil {
			p.Until = *ends
		}
		f(p, now)
		return nil
	})
}

// paused is what rests at one moment.
type paused struct {
	queues map[string]bool
	tasks  map[string]pausedTask
	ends   time.Time // when the first of these pauses ends, by the clock of this process
}

type pausedTask struct {
	since time.Time
	wait  time.Duration // for how long its messages are put off
}

func newPaused() *paused {
	return &paused{queues: make(map[string]bool), tasks: make(map[string]pausedTask), ends: never}
}

func (ps *paused) note(p broker.Pause, now time.Time) {
	switch p.What {
	case broker.PauseQueue:
		ps.queues[p.Name] = true
	case broker.PauseTask:
		ps.tasks[p.Name] = pausedTask{p.Since, max(p.PutOff(now), time.Millisecond)}
	}
	if left := p.Until.Sub(now); !p.Until.IsZero() {
		if ends := time.Now().Add(left); ends.Before(ps.ends) {
			ps.ends = ends
		}
	}
}

// setPaused takes over what rests. What was fetched ahead of it goes back.
func (cl *claimer) setPaused(ps *paused, consumers []*consumer) {
	same := cl.paused != nil && maps.EqualFunc(cl.paused.tasks, ps.tasks, func(a, b pausedTask) bool { return a.since.Equal(b.since) })
	same = same || cl.paused == nil && len(ps.tasks) == 0
	cl.paused = ps
	for _, c := range consumers {
		if c.paused = ps.queues[c.queue]; c.paused || !same {
			c.shed(0)
		}
	}
}

// putOff takes the messages of paused tasks out of what was claimed, and has them wait
// again, at no cost of an attempt.
func (cl *claimer) putOff(ds []*delivery) []*delivery {
	if len(cl.paused.tasks) == 0 {
		return ds
	}
	var ss []*settlement
	ds = slices.DeleteFunc(slices.Clone(ds), func(d *delivery) bool {
		p, ok := cl.paused.tasks[d.message.Task]
		if ok {
			d.consumer.held.Add(1)
			d.settled.Store(true)
			ss = append(ss, &settlement{delivery: d, verdict: released, wait: p.wait})
		}
		return ok
	})
	if len(ss) > 0 {
		cl.b.settler.put(ss...)
	}
	return ds
}
