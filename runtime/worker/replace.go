//go:build unix

package worker

import (
	"fmt"
	"time"
)

// reload replaces all children, one after the other: the binary may have been
// replaced.
func (s *supervisor) reload() {
	s.log.Info("reloading: new processes replace the old ones", "binary", s.path)
	s.front.notify.reloading()
	for _, p := range s.places {
		if p.child != nil {
			p.replace = "reload"
		}
	}
}

// replaceOne starts the next replacement: one at a time, so that memory for
// one more child is enough.
func (s *supervisor) replaceOne() {
	if !s.mayStart() {
		return
	}
	pending := false
	for _, p := range s.places {
		if p.next != nil {
			return
		}
		pending = pending || p.replace != ""
	}
	if !pending {
		s.front.notify.reloaded()
		return
	}
	for _, p := range s.places {
		if p.replace != "" && p.child != nil && !time.Now().Before(p.startAt) {
			s.log.Info("replacing a process", "child", p.number, "pid", p.child.pid(), "reason", p.replace)
			p.next = s.start(p)
			return
		}
	}
}

// promote puts the replacement in the place of the child, which finishes its
// tasks.
func (s *supervisor) promote(p *place) {
	old := p.child
	p.child, p.next, p.replace = p.next, nil, ""
	if old != nil {
		s.leaving[old] = true
		old.stop()
	}
}

// wornOut returns why a child is to be replaced, or "".
func (s *supervisor) wornOut(r report) string {
	c := s.program.config
	switch n := settled(r.Stats); {
	case c.maxTasks > 0 && n >= c.maxTasks:
		return fmt.Sprintf("it has run %d tasks, -max-tasks is %d", n, c.maxTasks)
	case c.maxMemory > 0 && r.Memory > int64(c.maxMemory):
		return fmt.Sprintf("it uses %v, -max-memory is %v", byteSize(r.Memory), c.maxMemory)
	}
	return ""
}
