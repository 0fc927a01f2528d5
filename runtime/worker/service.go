package worker

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/dtask"
	"github.com/dtaskhq/dtask/runtime/internal/inside"
)

// serve runs tasks in this process until a signal stops it.
func (p *program) serve() error {
	stop := newStopper()
	defer stop.obeySignals(p.log)()
	front, err := p.openFront(stop.ctx)
	if err != nil {
		return err
	}
	defer front.close()
	return p.work(stop, front.interval(), front.publish)
}

// work runs tasks until stop. It publishes a report on itself at once, after
// every interval, and when it becomes ready.
func (p *program) work(stop *stopper, interval time.Duration, publish func(report)) error {
	v := newVitals(stop.ctx)
	ctx, cancel := context.WithCancel(context.WithoutCancel(stop.ctx))
	var background sync.WaitGroup
	defer background.Wait()
	defer cancel()
	background.Go(func() { v.beat(ctx, interval, publish) })

	s, err := p.newService(stop.ctx)
	if err != nil {
		if stop.ctx.Err() != nil {
			return nil // told to stop before it began
		}
		return err
	}
	defer s.close()
	var using sync.WaitGroup // goroutines that use the service
	defer using.Wait()
	running, ended := context.WithCancel(ctx)
	defer ended()
	using.Go(func() { v.watch(running, s) })
	using.Go(func() { s.orphans.watch(running, s.worker.Ready()) })
	announcer := newAnnouncer(s, p, stop.ctx)
	using.Go(func() { announcer.run(running, s.worker.Ready()) })
	using.Go(func() { s.obeyOperators(running, announcer, stop) })
	using.Go(func() { s.recorder.run(running) })
	scheduling, stopScheduling := context.WithCancel(stop.ctx)
	defer stopScheduling()
	using.Go(func() { s.scheduler.run(scheduling) })
	if err := s.run(stop.ctx, stop); err != nil {
		return err
	}
	if n := s.worker.Stats().NotRecorded; n > 0 {
		return leftError{fmt.Errorf("stopped, and the outcomes of %d tasks are not recorded; these tasks may run again", n)}
	}
	return nil
}

// unrecorded returns the outcomes that the broker has not recorded.
func (s *service) unrecorded() []broker.Unrecorded { return inside.Unrecorded(s.worker) }

// A service is what runs the tasks of one process.
type service struct {
	id        string // of this process, for operators
	client    *dtask.Client
	admin     broker.Admin
	worker    *dtask.Worker
	scheduler *scheduler
	queues    []string
	counts    *counts
	recorder  *recorder
	orphans   *orphanWatch
	log       *slog.Logger

	// As lookForPaused found them last.
	paused      map[string]bool // by queue
	tasksPaused bool            // some, of whatever queue
}

// newService opens the broker and prepares the worker and the scheduler.
func (p *program) newService(ctx context.Context, middleware ...dtask.Middleware) (*service, error) {
	client, err := p.openPatiently(ctx)
	if err != nil {
		return nil, err
	}
	p.group.join(client.Broker())
	s := &service{id: rand.Text(), client: client, queues: p.queueNames(), counts: newCounts(p.boundTasks()), log: p.log}
	if err := s.prepare(p, middleware); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// prepare asks the broker for what the service needs of it, and makes the worker.
func (s *service) prepare(p *program, middleware []dtask.Middleware) (err error) {
	if s.admin, err = s.client.Admin(); err != nil {
		return err
	}
	s.orphans = newOrphanWatch(s.client, p.log)
	if p.config.scheduler {
		if s.scheduler, err = newScheduler(s.client, p.schedules, p.log); err != nil {
			return err
		}
	}
	middleware = slices.Concat([]dtask.Middleware{s.counts.middleware}, p.extended.middleware(), middleware, p.additions.Middleware)
	if s.worker, err = dtask.NewWorker(s.client, p.config.workerConfig(p.log, middleware...), p.tables...); err != nil {
		return err
	}
	s.recorder = newRecorder(s, p.config.journal)
	p.extended.made(s.worker)
	return nil
}

// checkTables reports what is wrong with the tables and the queues, before the
// program waits for a broker or starts children.
func (p *program) checkTables() (err error) {
	if _, err := dtask.NewWorker(dtask.NewClient(nil), p.config.workerConfig(p.log), p.tables...); err != nil {
		return usageError{err}
	}
	if p.schedules, err = schedulesOf(p.boundTasks()); err != nil {
		return usageError{err}
	}
	return nil
}

// run runs the worker until ctx ends, and cuts its end short when stop hurries.
func (s *service) run(ctx context.Context, stop *stopper) error {
	ended := make(chan struct{})
	defer close(ended)
	go func() {
		select {
		case <-stop.now:
			s.worker.Abort()
		case <-ended:
		}
	}()
	return s.worker.Run(ctx)
}

func (s *service) close() {
	if err := s.client.Close(); err != nil {
		s.log.Warn("broker not closed cleanly", "err", err)
	}
}

// queueNames returns the queues that are consumed, sorted.
func (p *program) queueNames() []string {
	var names []string
	for q := range p.config.queues {
		names = append(names, q)
	}
	if p.config.queues == nil {
		for _, t := range p.tables {
			names = append(names, t.Queues()...)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// openPatiently opens the broker. If the broker does not answer, a worker tries
// again until ctx ends; if the broker refuses, it gives up. A drain gives up in
// both cases, because the next drain is started soon.
func (p *program) openPatiently(ctx context.Context) (*dtask.Client, error) {
	for {
		client, silent, err := p.open(ctx)
		if err == nil || !silent || p.config.drain || ctx.Err() != nil {
			return client, err
		}
		p.log.Warn("the broker does not answer; trying again", "err", err)
	}
}
