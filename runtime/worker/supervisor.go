//go:build unix

package worker

import (
	"cmp"
	"fmt"
	"log/slog"
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
	gate    gate
	leaving map[*child]bool // replaced, and finishing their tasks
	past    report          // the counts of the children that are gone
	killAt  time.Time       // when children that do not stop are killed
	failure error           // why the supervisor stops, if not by a signal
	serial  int             // of the children started
	died    int             // children that nobody had told to end
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
		s.turnGate()
		select {
		case event := <-s.events:
			event()
		case sig := <-signals:
			s.signal(sig)
		case <-s.wake():
		case <-tick.C:
			s.killSilent()
			s.front.publish(s.report())
			s.tellExtensions()
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

// stopAll asks all children to stop.
func (s *supervisor) stopAll() {
	s.stop.begin()
	s.each((*child).stop)
	s.killAt = time.Now().Add(s.program.config.grace + stopMargin)
}

// mayStart reports whether children may be started now. While one is to be alone, none is.
func (s *supervisor) mayStart() bool { return !s.stopping() && !s.gate.isShut() }

// startDue starts the children that are missing.
func (s *supervisor) startDue() {
	for _, p := range s.places {
		if p.child == nil && p.next == nil && s.mayStart() && !time.Now().Before(p.startAt) {
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
	if first.IsZero() || !s.mayStart() {
		return nil
	}
	return time.After(time.Until(first))
}

// start starts a child. If that is impossible the place waits to try again.
func (s *supervisor) start(p *place) *child {
	s.serial++
	c, err := s.program.startChild(s.path, p, s.send, s.heard, s.exited)
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

// tellExtensions passes the reports of the children's extensions on to those of this
// process.
func (s *supervisor) tellExtensions() {
	var reports []map[string][]byte
	s.each(func(c *child) { reports = append(reports, c.report.Extensions) })
	s.program.extended.children(s.past.Extensions, reports, s.died)
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
