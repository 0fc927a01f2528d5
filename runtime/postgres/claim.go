package postgres

import (
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// A claim is what one round trip claims of a class for a consumer.
type claim struct {
	consumer *consumer
	class    int
	asked    int
	got      []*delivery
	looked   bool // when there will be more was asked in the same round trip
}

// turn claims for the consumers that have room, and looks when there will be more.
func (cl *claimer) turn(ctx context.Context, consumers []*consumer) error {
	now := time.Now()
	controls := cl.takeHints(consumers)
	controls = controls || cl.paused != nil && !now.Before(cl.paused.ends)
	for _, c := range consumers {
		c.ahead.measure(c.settled.Load(), now)
		c.shedHoard(now)
	}
	all := !now.Before(cl.lookAt)
	for _, c := range consumers {
		c.floor.below = c.floor.below || all
		c.floor.begin(now)
	}
	suspect, err := cl.planAlone(ctx, consumers, now)
	if err != nil {
		return err
	}
	claims := cl.plan(consumers, now)
	if suspect != nil {
		claims = append(claims, suspect)
	}
	look := consumers
	if !all {
		look = slices.DeleteFunc(slices.Clone(consumers), func(c *consumer) bool {
			return !c.floor.full && !slices.ContainsFunc(c.dueAt[:], time.Time.IsZero) &&
				!slices.ContainsFunc(claims, func(claimed *claim) bool { return claimed.consumer == c && !c.plenty })
		})
	}
	for _, c := range claims {
		c.looked = slices.Contains(look, c.consumer)
	}
	if len(claims)+len(look) == 0 && !controls || len(consumers) == 0 {
		return nil
	}
	cl.flight.Add(1)
	defer cl.flight.Add(1)
	paused, cancelled := newPaused(), cancelledSet(nil)
	if err := cl.b.try(ctx, func(ctx context.Context, q querier) error {
		if err := cl.send(ctx, q, claims, look, paused); err != nil || !controls && !all {
			return err
		}
		if err := cl.b.obeyCancels(ctx, q); err != nil {
			return err
		}
		cancelled = make(cancelledSet)
		r, err := q.Query(ctx, cl.b.in(selectCancelled))
		return readCancelled(r, err, cancelled)
	}); err != nil {
		cl.b.liveness.doubt()
		for _, c := range consumers { // what was claimed below may wait again
			c.floor = floor{}
		}
		return err
	}
	if all {
		cl.lookAt = now.Add(cl.every - rand.N(cl.every/5))
	}
	for _, c := range look {
		c.floor.end(now, time.Now())
	}
	cl.setPaused(paused, consumers)
	if cancelled != nil {
		cl.setCancelled(cancelled, consumers)
	}
	for _, c := range claims {
		cl.claimed(c)
	}
	return nil
}

// plan returns what to claim for each consumer.
func (cl *claimer) plan(consumers []*consumer, now time.Time) (claims []*claim) {
	for _, c := range consumers {
		if !c.wants() || c.nextDue().After(now) {
			continue
		}
		for class, n := range c.shares(c.room(), now) {
			if n > 0 {
				claims = append(claims, &claim{consumer: c, class: class, asked: n})
			}
		}
	}
	return claims
}

// due reports whether the class may have a message that is due.
func (c *consumer) due(class int, now time.Time) bool { return !c.dueAt[class].After(now) }

// shares divides n among the priorities that have messages, as the cycle says. At
// least one of them has.
func (c *consumer) shares(n int, now time.Time) (share [quarantine]int) {
	var turns []int // the cycle without those that have nothing
	for i := range cycle {
		if class := cycle[(c.picking+i)%len(cycle)]; c.due(class, now) {
			turns = append(turns, class)
		}
	}
	for i, class := range turns {
		share[class] += n / len(turns)
		if i < n%len(turns) {
			share[class]++
		}
	}
	c.picking += n
	return share
}

// send executes the claims, asks when consumers have more, and what is paused. A claim need not survive a crash of the server: then the message waits again.
func (cl *claimer) send(ctx context.Context, q querier, claims []*claim, look []*consumer, paused *paused) error {
	b := cl.b
	var batch pgx.Batch
	batch.Queue(plannedLightly)
	for _, c := range claims {
		c.got = nil
		args := []any{c.consumer.queue, c.consumer.id.Load(), c.asked}
		if c.class < quarantine {
			args = append(args, from(c.consumer.floor.at[c.class]))
		}
		batch.Queue(b.in(claimOf[c.class]), args...)
	}
	for _, c := range look {
		batch.Queue(b.in(selectNext), append([]any{c.queue}, c.floor.args()...)...)
	}
	batch.Queue(b.in(selectPauses))
	results := q.SendBatch(ctx, &batch)
	err := cl.receive(results, claims, look, paused)
	return errors.Join(err, results.Close())
}

func (cl *claimer) receive(results pgx.BatchResults, claims []*claim, look []*consumer, paused *paused) error {
	if _, err := results.Exec(); err != nil {
		return err
	}
	for _, c := range claims {
		r, err := results.Query()
		if err := rows(r, err, func(r pgx.Rows) error {
			d := &delivery{consumer: c.consumer, owner: c.consumer.id.Load()}
			c.got = append(c.got, d)
			return d.read(r)
		}); err != nil {
			return err
		}
	}
	for _, c := range look {
		var there time.Time
		var next [classes]*time.Time
		if err := results.QueryRow().Scan(&there, &next[0], &next[1], &next[2], &next[3]); err != nil {
			return err
		}
		now := time.Now()
		for class, due := range next {
			oldest := there
			if c.dueAt[class] = never; due != nil {
				c.dueAt[class] = now.Add(min(due.Sub(there), time.Hour))
				oldest = earlier(*due, there)
			}
			c.floor.saw(class, oldest)
		}
	}
	r, err := results.Query()
	return readPauses(r, err, paused.note)
}

// claimed hands on what was claimed.
func (cl *claimer) claimed(c *claim) {
	now := time.Now()
	c.consumer.plenty = len(c.got) == c.asked
	switch {
	case c.consumer.plenty || !c.consumer.due(c.class, now):
	case c.looked: // others are claiming what is there
		c.consumer.dueAt[c.class] = now.Add(crowdedPause)
	default:
		c.consumer.dueAt[c.class] = time.Time{}
	}
	// They come in the order of their places in the table.
	slices.SortFunc(c.got, func(a, b *delivery) int { return cmp.Or(a.due.Compare(b.due), cmp.Compare(a.seq, b.seq)) })
	if c.consumer.plenty && !c.looked {
		c.consumer.floor.claimed(c.class, c.got[len(c.got)-1].due)
	}
	cl.b.liveness.hold(c.got)
	if c.class == quarantine {
		cl.suspect(c)
	}
	sound := slices.DeleteFunc(slices.Clone(cl.putOff(c.got)), func(d *delivery) bool {
		if d.damage == nil {
			return false
		}
		c.consumer.held.Add(1)
		d.fail(d.damage)
		d.Settle(broker.Settlement{Verdict: broker.Dead})
		return true
	})
	c.consumer.deliver(sound)
}
