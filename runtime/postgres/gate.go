package postgres

import (
	"context"
	"slices"
	"sync/atomic"
	"time"
)

// A gate holds back all claims of a process while a message is to be run alone. It is
// shut before the message is claimed: what was fetched goes back, what runs ends. How
// long it is shut is bounded, and it stays open for as long as it was shut: a full
// quarantine costs at most half of the time.
type gate struct {
	shutSince time.Time                // zero: it is open
	openUntil time.Time                // it is not to be shut before
	suspect   atomic.Pointer[delivery] // the message that runs alone
	ran       atomic.Bool              // it was settled
	misses    int                      // how often nothing came of it, one after the other
	last      *consumer                // who had a suspect last: others come first
}

const (
	// gatePatience is how long the gate is shut for tasks that do not end.
	gatePatience = 30 * time.Second

	// gatePause is how long it stays open after that, at first; doubles.
	gatePause    = time.Minute
	maxGatePause = 16 * gatePause

	// gateTurn is how often a process looks whether it is its turn to run a message
	// alone.
	gateTurn = 250 * time.Millisecond

	// gateLook is how often a gate that is shut is looked at.
	gateLook = 20 * time.Millisecond
)

func (g *gate) shut() bool { return !g.shutSince.IsZero() }

// open opens the gate, for as long as it was shut at least.
func (g *gate) open(now time.Time, least time.Duration) {
	g.openUntil = now.Add(max(now.Sub(g.shutSince), least))
	g.shutSince = time.Time{}
	g.suspect.Store(nil)
	g.ran.Store(false)
}

// yield leaves the turn to another process that runs a message alone. Meanwhile this
// one has no reason to hold back anything.
func (g *gate) yield(now time.Time) {
	g.shutSince, g.openUntil = time.Time{}, now.Add(gateTurn)
}

// waitsAlone returns a consumer that has a message to be run alone, or nil. They take
// turns.
func (cl *claimer) waitsAlone(consumers []*consumer, now time.Time) *consumer {
	if now.Before(cl.gate.openUntil) {
		return nil
	}
	after := slices.Index(consumers, cl.gate.last) + 1
	for i := range consumers {
		c := consumers[(after+i)%len(consumers)]
		if !c.paused && !c.stopped.Load() && !c.dueAt[quarantine].IsZero() && c.due(quarantine, now) {
			return c
		}
	}
	return nil
}

// keepGate shuts the gate if a message is to be run alone, and opens it if that takes
// too long, or is over. It returns the consumer that can claim this message now, or
// nil.
func (cl *claimer) keepGate(consumers []*consumer, now time.Time) (next *consumer) {
	g := &cl.gate
	if s := g.suspect.Load(); s != nil {
		if g.ran.Load() || !slices.Contains(consumers, s.consumer) {
			g.open(now, 0)
		}
		return nil
	}
	next = cl.waitsAlone(consumers, now)
	switch {
	case next == nil && g.shut():
		// A notification of other messages makes everything unknown, until this turn
		// has looked.
		if !slices.ContainsFunc(consumers, func(c *consumer) bool { return c.dueAt[quarantine].IsZero() }) {
			g.open(now, 0)
		}
	case next == nil:
	case !g.shut():
		g.shutSince = now
	case now.Sub(g.shutSince) > gatePatience:
		g.open(now, min(gatePause<<min(g.misses, 10), maxGatePause))
		g.misses++
		next.log.Warn("a task that may have killed its worker waits to be run alone; other tasks do not end",
			"queue", next.queue, "again_in", g.openUntil.Sub(now).Round(time.Second))
		return nil
	}
	if next == nil {
		return nil
	}
	for _, c := range consumers {
		c.shed(0)
		if c.held.Load() > 0 {
			return nil
		}
	}
	return next
}

// planAlone returns the claim of a message to be run alone, if nothing else is
// claimed: outcomes may still be on their way.
func (cl *claimer) planAlone(ctx context.Context, consumers []*consumer, now time.Time) (*claim, error) {
	if cl.gate.suspect.Load() == nil && cl.waitsAlone(consumers, now) != nil {
		switch n, err := cl.count(ctx, countSuspects); {
		case err != nil:
			return nil, err
		case n > 0:
			cl.gate.yield(now)
		}
	}
	next := cl.keepGate(consumers, now)
	if next == nil {
		return nil, nil
	}
	if n, err := cl.count(ctx, countBeside, cl.b.liveness.worker.Load()); err != nil || n > 0 {
		return nil, err
	}
	cl.gate.last = next
	return &claim{consumer: next, class: quarantine, asked: 1}, nil
}

// count runs a query that counts.
func (cl *claimer) count(ctx context.Context, sql string, args ...any) (n int, err error) {
	err = cl.b.try(ctx, func(ctx context.Context, q querier) error {
		return q.QueryRow(ctx, cl.b.in(sql), args...).Scan(&n)
	})
	return n, err
}

// suspect notes the message that runs alone.
func (cl *claimer) suspect(c *claim) {
	if len(c.got) > 0 {
		cl.gate.misses = 0
		cl.gate.suspect.Store(c.got[0])
	}
}

// leaveGate notes that d is settled, which may have run alone.
func (cl *claimer) leaveGate(d *delivery) {
	if cl.gate.suspect.Load() == d {
		cl.gate.ran.Store(true)
		cl.wakeUp()
	}
}
