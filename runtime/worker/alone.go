//go:build unix

package worker

import (
	"fmt"
	"slices"
	"time"
)

const (
	// quietTime is how long the others may take until they run nothing. Then the message
	// that is to run alone runs beside them: it must not wait for ever.
	quietTime = 20 * time.Second

	// aloneTime is how long the others stay quiet while it runs. Together they are less
	// than stalledAfter, after which a process that takes nothing is replaced.
	aloneTime = 20 * time.Second

	// restTime is how long all go on at least before the next one has its turn, if they
	// were quiet for as long. The next one runs nothing while it waits for that, so it
	// must be short of stalledAfter as well.
	restTime = 10 * time.Second
)

// A gate has all children but one run nothing, while that one runs a message that may
// have killed its worker (group.go).
type gate struct {
	asker   *child          // the one
	line    []*child        // want to be next
	round   int             // who is quiet says for which asker
	loud    map[*child]bool // may run something
	granted bool            // the asker has been told that it is alone
	until   time.Time       // when that is to be, and then, when the others go on
	shut    time.Time       // since when
	next    time.Time       // not before that: the others are to have their time, too
}

func (g *gate) isShut() bool { return g.asker != nil }

// heard takes a word of a child.
func (s *supervisor) heard(c *child, w word) {
	switch {
	case w.Report != nil:
		s.reported(c, *w.Report)
	case w.Group == groupAsk:
		s.gate.line = append(s.gate.line, c)
		delete(s.gate.loud, c) // it runs nothing while it waits
	case w.Group == groupQuiet && w.Round == s.gate.round:
		delete(s.gate.loud, c)
	case w.Group == groupDone:
		s.left(c)
	}
}

// left goes on without a child that has had its turn, does not want one any more, or has
// died.
func (s *supervisor) left(c *child) {
	g := &s.gate
	g.line = slices.DeleteFunc(g.line, func(other *child) bool { return other == c })
	delete(g.loud, c)
	if g.asker == c {
		s.openGate()
	}
}

// turnGate gives the next one its turn, and tells it when it is alone.
func (s *supervisor) turnGate() {
	g := &s.gate
	now := time.Now()
	if g.asker == nil && len(g.line) > 0 && !now.Before(g.next) {
		s.shutGate(now)
	}
	late := now.After(g.until)
	switch {
	case g.asker == nil:
	case g.granted && late:
		s.openGate()
	case !g.granted && len(g.loud) == 0:
		g.granted, g.until = true, now.Add(aloneTime)
		g.asker.tell(commandAlone)
	case !g.granted && late:
		s.log.Warn("a message that may have killed its worker runs beside others: some do not end in time", "processes", len(g.loud))
		g.asker.tell(commandAlone)
		s.openGate()
	}
}

func (s *supervisor) shutGate(now time.Time) {
	g := &s.gate
	g.asker, g.line = g.line[0], g.line[1:]
	g.granted, g.shut, g.until = false, now, now.Add(quietTime)
	g.round++
	g.loud = make(map[*child]bool)
	s.each(func(c *child) {
		if c != g.asker && !slices.Contains(g.line, c) {
			g.loud[c] = true
			c.tell(fmt.Sprintf("%s %d", commandQuiet, g.round))
		}
	})
}

// openGate lets all go on.
func (s *supervisor) openGate() {
	asker, now := s.gate.asker, time.Now()
	s.gate = gate{line: s.gate.line, round: s.gate.round, next: now.Add(min(now.Sub(s.gate.shut), restTime))}
	s.each(func(c *child) {
		if c != asker {
			c.tell(commandResume)
		}
	})
}
