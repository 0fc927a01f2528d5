//go:build unix

package worker

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// exited handles the end of a child.
func (s *supervisor) exited(c *child, err error) {
	c.report.Memory, c.report.Stats.Running = 0, 0
	s.past = s.past.plus(c.report)
	s.past.Extensions = s.program.extended.remember(s.past.Extensions, c.report.Extensions)
	s.past.Orphaned = nil // that is no count, and nobody would take it back
	s.left(c)
	p := c.place
	log := s.log.With("child", p.number, "pid", c.pid())
	replaced := s.leaving[c]
	delete(s.leaving, c)
	if p.child == c {
		p.child = nil
	}
	failedNext := p.next == c
	if failedNext {
		p.next, p.replace = nil, ""
	}
	switch {
	case replaced, s.stopping():
		log.Info("process has ended", "how", how(err))
		if s.failure == nil && c.cmd.ProcessState.ExitCode() == exitLeft {
			s.failure = leftError{fmt.Errorf("outcomes of child %d are not recorded; their tasks may run again", p.number)}
		}
	case failedNext:
		log.Error("replacement ended before it was ready", "how", how(err))
		p.startAt = time.Now().Add(maxRestart)
	default:
		s.died++
		log.Error("process died; another one takes its place", "how", how(err), "after", time.Since(c.started).Round(time.Millisecond))
		if time.Since(c.started) >= shortLife {
			p.crashes = 0
		}
		s.crashed(p, err)
	}
}

// how says how a process ended.
func how(err error) string {
	if err == nil {
		return "exit status 0"
	}
	return err.Error()
}

// crashed delays the next start in a place, or gives up.
func (s *supervisor) crashed(p *place, err error) {
	p.crashes++
	if p.crashes >= crashLoop {
		s.log.Error("crash loop; giving up", "child", p.number, "crashes", p.crashes, "how", how(err))
		s.giveUp(fmt.Errorf("crash loop: child %d died %d times within %v of its start, last: %s", p.number, p.crashes, shortLife, how(err)))
		return
	}
	wait := min(minRestart<<(p.crashes-1), maxRestart)
	p.startAt = time.Now().Add(wait/2 + rand.N(wait/2))
}

// giveUp stops everything, for a reason.
func (s *supervisor) giveUp(err error) {
	if s.failure == nil {
		s.failure = err
	}
	if !s.stopping() {
		s.stopAll()
	}
}

// killSilent kills the children that hang, and those that do not stop.
func (s *supervisor) killSilent() {
	now := time.Now()
	s.each(func(c *child) {
		switch {
		case s.stopping() && now.After(s.killAt):
			s.log.Error("process does not stop; killing it", "child", c.place.number, "pid", c.pid())
			s.failure = errors.Join(s.failure, fmt.Errorf("child %d did not stop", c.place.number))
			c.kill()
		case now.Sub(c.heard) > silentAfter:
			s.log.Error("process is silent; killing it", "child", c.place.number, "pid", c.pid(), "for", now.Sub(c.heard).Round(time.Second))
			c.kill()
		}
	})
}
