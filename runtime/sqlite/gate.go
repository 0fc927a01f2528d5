package sqlite

import (
	"slices"
	"time"
)

// A gate holds back all claims of a process while a message is to be run alone. It
// is shut before the message is claimed: what was fetched goes back, what runs ends.
// How long it is shut is bounded, and it stays open for as long as it was shut: a
// full quarantine costs at most half of the time.
type gate struct {
	shutSince time.Time // zero: it is open
	openUntil time.Time // it is not to be shut before
	suspect   *delivery // the message that runs alone
	misses    int       // how often nothing came of it, one after the other
	last      *consumer // who had a suspect last: others come first
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
)

func (g *gate) shut() bool { return !g.shutSince.IsZero() }

// open opens the gate, for as long as it was shut at least.
func (g *gate) open(now time.Time, least time.Duration) {
	g.openUntil = now.Add(max(now.Sub(g.shutSince), least))
	g.shutSince, g.suspect = time.Time{}, nil
}

// yield leaves the turn to another process that runs a message alone. Meanwhile this
// one has no reason to hold back anything.
func (g *gate) yield(now time.Time) {
	g.shutSince, g.openUntil = time.Time{}, now.Add(gateTurn)
}

// waitsAlone returns a consumer that has a message to be run alone, or nil. They
// take turns.
func (w *writer) waitsAlone(now time.Time) *consumer {
	if now.Before(w.gate.openUntil) {
		return nil
	}
	after := slices.Index(w.consumers, w.gate.last) + 1
	for i := range w.consumers {
		c := w.consumers[(after+i)%len(w.consumers)]
		if !c.isPaused(now) && !c.stopped.Load() && !c.dueAt[quarantine].IsZero() && c.due(quarantine, now) {
			return c
		}
	}
	return nil
}

// keepGate shuts the gate if a message is to be run alone, and opens it if that
// takes too long. It returns the consumer that can claim this message now, or nil.
func (w *writer) keepGate(now time.Time) (next *consumer) {
	g := &w.gate
	if g.suspect != nil {
		return nil
	}
	next = w.waitsAlone(now)
	switch {
	case next == nil && g.shut():
		g.open(now, 0)
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
	for _, c := range w.consumers {
		c.shed(0)
		if c.held.Load() > 0 || len(c.batch) > 0 {
			return nil
		}
	}
	return next
}

// claimAlone claims a message to be run alone, if nothing else is claimed: outcomes
// may still be on their way.
func (w *writer) claimAlone(now time.Time) error {
	if w.gate.suspect == nil && w.waitsAlone(now) != nil {
		switch n, err := w.conn.int(countSuspects); {
		case err != nil:
			return err
		case n > 0:
			w.gate.yield(now)
		}
	}
	next := w.keepGate(now)
	if next == nil {
		return nil
	}
	if n, err := w.conn.int(countBeside, w.liveness.lock.name); err != nil || n > 0 {
		return err
	}
	w.gate.last = next
	if err := w.claimClass(next, quarantine, 1, now); err != nil {
		return err
	}
	if len(next.batch) > 0 {
		w.gate.suspect, w.gate.misses = next.batch[0], 0
	}
	return nil
}

// leaveGate opens the gate if d was run alone.
func (w *writer) leaveGate(d *delivery) {
	if w.gate.suspect == d {
		w.gate.open(time.Now(), 0)
	}
}

// dropSuspect forgets a claim whose transaction failed.
func (w *writer) dropSuspect() {
	if s := w.gate.suspect; s != nil && slices.Contains(s.consumer.batch, s) {
		w.gate.suspect = nil
	}
}
