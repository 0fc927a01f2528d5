//go:build unix

package worker

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/signal"
	"syscall"
	"time"
)

const (
	// A child that dies within shortLife of its start has crashed. After
	// crashLoop crashes in a row in one place the supervisor gives up.
	shortLife = 10 * time.Second
	crashLoop = 10

	// The pause before a child is started again doubles with every crash.
	minRestart = 100 * time.Millisecond
	maxRestart = 10 * time.Second

	// silentAfter is how long a child may say nothing before it is killed. A
	// child reports every second.
	silentAfter = 30 * time.Second

	// stopMargin is how long a child may take to stop beyond its grace period.
	stopMargin = 30 * time.Second
)

// supervise runs children that run the tasks, and replaces those that die,
// until a signal stops it.
func (p *program) supervise() error {
	stop := newStopper()
	front, err := p.openFront(stop.ctx)
	if err != nil {
		return err
	}
	defer front.close()
	path, err := executable()
	if err != nil {
		return err
	}
	s := &supervisor{
		program: p,
		log:     p.log,
		front:   front,
		stop:    stop,
		path:    path,
		events:  make(chan func()),
		done:    make(chan struct{}),
		leaving: make(map[*child]bool),
	}
	defer close(s.done)
	return s.run()
}

// A supervisor keeps a number of children running. All its state belongs to
// the goroutine of run; others send it functions to call.
type supervisor struct {
	program *program
	log     *slog.Logger
	front   *front
	stop    *stopper
	path    string // of the binary

	events chan func()
	done   chan struct{} // closed when nobody receives events any more

	places  []*place
	leaving map[*child]bool // replaced, and finishing their tasks
	past    report          // the counts of the children that are gone
	killAt  time.Time       // when children that do not stop are killed
	failure error           // why the supervisor stops, if not by a signal
	serial  int             // of the children started
}

// A place is where one child after the other does its work.
type place struct {
	number  int
	child   *child // nil while it waits to be started
	next    *child // started to replace child, not ready yet
	crashes int    // in a row
	startAt time.Time
	replace string // why child is to be replaced; empty if it is not
}

// run is the loop of the supervisor.
func (s *supervisor) run() error {
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, stopSignals...)
	defer signal.Stop(signals)
	for i := range s.program.config.processes {
		s.places = append(s.places, &place{number: i + 1})
	}
	s.log.Info("supervising", "processes", len(s.places), "binary", s.path)
	tick := time.NewTicker(s.front.interval())
	defer tick.Stop()
	for {
		s.startDue()
		if s.stopping() && s.children() == 0 {
			s.log.Info("all processes have ended")
			return s.failure
		}
		s.replaceOne()
		select {
		case event := <-s.events:
			event()
		case sig := <-signals:
			s.signal(sig)
		case <-s.wake():
		case <-tick.C:
			s.killSilent()
			s.front.publish(s.report())
		}
	}
}

func (s *supervisor) stopping() bool { return s.stop.ctx.Err() != nil }

// send lets the loop call event, unless the loop has ended.
func (s *supervisor) send(event func()) {
	select {
	case s.events <- event:
	case <-s.done:
	}
}

// each calls f for every child.
func (s *supervisor) each(f func(*child)) {
	for _, p := range s.places {
		for _, c := range []*child{p.child, p.next} {
			if c != nil {
				f(c)
			}
		}
	}
	for c := range s.leaving {
		f(c)
	}
}

func (s *supervisor) children() (n int) {
	s.each(func(*child) { n++ })
	return n
}

// signal handles a signal to the supervisor.
func (s *supervisor) signal(sig os.Signal) {
	switch {
	case sig == syscall.SIGHUP:
		if !s.stopping() {
			s.reload()
		}
	case !s.stopping():
		s.log.Info("signal received; stopping all processes, a second one stops them at once", "signal", sig.String())
		s.stopAll()
	default:
		s.log.Warn("second signal received; stopping at once", "signal", sig.String())
		s.stop.hurry()
		s.each((*child).stopNow)
		s.killAt = time.Now().Add(stopMargin)
	}
}

// stopAll begins the end.
func (s *supervisor) stopAll() {
	s.stop.begin()
	s.each((*child).stop)
	s.killAt = time.Now().Add(s.program.config.grace + stopMargin)
}

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

// startDue starts the children that are missing.
func (s *supervisor) startDue() {
	for _, p := range s.places {
		if p.child == nil && p.next == nil && !s.stopping() && !time.Now().Before(p.startAt) {
			p.child = s.start(p)
		}
	}
}

// wake returns a channel that is ready when a child is to be started.
func (s *supervisor) wake() <-chan time.Time {
	var first time.Time
	for _, p := range s.places {
		if p.child == nil && p.next == nil && (first.IsZero() || p.startAt.Before(first)) {
			first = p.startAt
		}
	}
	if first.IsZero() || s.stopping() {
		return nil
	}
	return time.After(time.Until(first))
}

// replaceOne starts the next replacement: one at a time, so that memory for
// one more child is enough.
func (s *supervisor) replaceOne() {
	if s.stopping() {
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

// start starts a child. If that is impossible the place waits to try again.
func (s *supervisor) start(p *place) *child {
	s.serial++
	c, err := s.program.startChild(s.path, p, s.send, s.reported, s.exited)
	if err != nil {
		s.log.Error("process cannot be started", "child", p.number, "err", err)
		s.crashed(p, err)
		return nil
	}
	s.log.Info("process started", "child", p.number, "pid", c.pid())
	return c
}

// reported takes a report of a child.
func (s *supervisor) reported(c *child, r report) {
	c.report, c.heard = r, time.Now()
	p := c.place
	switch {
	case !r.Live:
		s.log.Error("process is stuck; killing it", "child", p.number, "pid", c.pid(), "problem", r.Problem)
		c.kill()
	case c == p.next && r.Ready:
		s.promote(p)
	case c == p.child && p.replace == "":
		p.replace = s.wornOut(r)
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

// exited handles the end of a child.
func (s *supervisor) exited(c *child, err error) {
	c.report.Memory, c.report.Stats.Running = 0, 0
	s.past = s.past.plus(c.report)
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
	case failedNext:
		log.Error("replacement ended before it was ready", "how", how(err))
		p.startAt = time.Now().Add(maxRestart)
	default:
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

// report sums up the reports of the children.
func (s *supervisor) report() report {
	sum := s.past
	sum.Live, sum.Ready, sum.Problem = true, !s.stopping(), ""
	s.each(func(c *child) { sum = sum.plus(c.report) })
	for _, p := range s.places {
		switch {
		case p.child == nil:
			sum.Ready, sum.Problem = false, fmt.Sprintf("child %d has died and is not started again yet", p.number)
		case !p.child.report.Ready:
			sum.Ready, sum.Problem = false, fmt.Sprintf("child %d: %s", p.number, cmp.Or(p.child.report.Problem, "starting"))
		}
	}
	if s.stopping() {
		sum.Problem = "stopping"
	}
	return sum
}
