package worker

import (
	"context"
	"time"
)

// A front is what a process, or the supervisor of several, shows to the
// outside: pid file, notifications to systemd, health.
type front struct {
	notify    *notifier
	health    *healthServer
	removePid func()
}

// openFront opens what the configuration asks for. stop ends when the process
// is to stop.
func (p *program) openFront(stop context.Context) (*front, error) {
	f := &front{}
	if err := f.open(p); err != nil {
		f.close()
		return nil, err
	}
	f.notify.stoppingAfter(stop)
	return f, nil
}

func (f *front) open(p *program) (err error) {
	if f.removePid, err = writePidfile(p.config.pidfile); err != nil {
		return err
	}
	if f.health, err = newHealthServer(p.config.health, p.log, &p.extended); err != nil {
		return err
	}
	f.notify, err = newNotifier(p.getenv)
	return err
}

// interval is how often publish must be called.
func (f *front) interval() time.Duration {
	if f.notify != nil && f.notify.watchdog > 0 {
		return min(beatInterval, f.notify.watchdog/3)
	}
	return beatInterval
}

// publish passes a report on.
func (f *front) publish(r report) {
	f.health.publish(r)
	f.notify.publish(r)
}

func (f *front) close() {
	f.notify.close()
	f.health.close()
	if f.removePid != nil {
		f.removePid()
	}
}
