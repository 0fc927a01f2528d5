package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/dtaskhq/dtask/internal/crontab"
	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/dtask"
	"github.com/dtaskhq/dtask/runtime/internal/safelog"
)

const (
	// lateAfter is how late a tick may be enqueued without counting as missed. It
	// leaves time for another worker to take over from one that died.
	lateAfter = time.Minute

	// lookAfter bounds the sleep of the scheduler, so that a change of the
	// system's clock is noticed.
	lookAfter = 30 * time.Second

	// farAhead is how far in the future the newest tick may be, as clocks differ. One
	// further ahead was made by a clock that was wrong.
	farAhead = time.Hour

	// stepTimeout bounds one step of a schedule.
	stepTimeout = 30 * time.Second

	// retryStep is the pause after an error of the broker, retryScheduler the
	// pause of a process that waits to become the scheduler.
	retryStep      = 2 * time.Second
	retryScheduler = 500 * time.Millisecond
)

// parseSchedule is replaced by tests that need seconds.
var parseSchedule = crontab.Parse

// Schedule enqueues the periodic tasks of the tables at their times, until ctx
// ends. It is for programs that run a [dtask.Worker] themselves, with Scheduled
// set; [Main] does the same by itself. Many processes may call it: each tick is
// enqueued once.
//
// Schedule returns nil when ctx ends. It returns an error at once if the client is
// nil, if a schedule is wrong, or if the broker keeps no ticks. If the broker does
// not answer, it tries again.
func Schedule(ctx context.Context, client *dtask.Client, tables ...dtask.Table) error {
	if client == nil {
		return errors.New("the client is nil; check the error of dtask.Open")
	}
	schedules, err := schedulesOf(slices.Concat(tables...))
	if err != nil {
		return err
	}
	s, err := newScheduler(client, schedules, safelog.New(client.Logger()))
	if err != nil {
		return err
	}
	s.run(ctx)
	<-ctx.Done() // without periodic tasks, run returns at once
	return nil
}

// A schedule says when a periodic task is due. Its name at the broker is that
// of the task.
type schedule struct {
	task dtask.BoundTask
	when crontab.Schedule
}

// schedulesOf returns the schedules of the periodic tasks.
func schedulesOf(tasks []dtask.BoundTask) ([]schedule, error) {
	var schedules []schedule
	for _, h := range tasks {
		if h.Spec.Cron == "" {
			continue
		}
		when, err := parseSchedule(h.Spec.Cron)
		if err != nil {
			return nil, fmt.Errorf("task %s: %w", h.Name, err)
		}
		schedules = append(schedules, schedule{h, when})
	}
	return schedules, nil
}

// A scheduler enqueues periodic tasks when they are due. Any number of
// schedulers may run: the broker lets each tick pass once. The nil scheduler
// does nothing.
type scheduler struct {
	client    *dtask.Client
	store     broker.TickStore // of the client
	schedules []schedule
	log       *slog.Logger

	mu    sync.Mutex
	ticks map[string]time.Time // the newest ones, by task, where this process may tick
}

// newScheduler returns a scheduler, the nil one if there is nothing to schedule:
// a broker that keeps no ticks does for that.
func newScheduler(client *dtask.Client, schedules []schedule, log *slog.Logger) (*scheduler, error) {
	if len(schedules) == 0 {
		return nil, nil
	}
	store, err := broker.As[broker.TickStore](client.Broker())
	if err != nil {
		return nil, err
	}
	return &scheduler{client: client, store: store, schedules: schedules, log: log, ticks: make(map[string]time.Time)}, nil
}

// run watches the clock until ctx ends.
func (s *scheduler) run(ctx context.Context) {
	if s == nil {
		return
	}
	var watching sync.WaitGroup
	for _, sch := range s.schedules {
		watching.Go(func() { s.watch(ctx, sch) })
	}
	watching.Wait()
}

// watch enqueues one task at each of its ticks, until ctx ends.
func (s *scheduler) watch(ctx context.Context, sch schedule) {
	failing := false
	for {
		next, err := s.step(ctx, sch)
		wait := min(time.Until(next), lookAfter)
		switch {
		case ctx.Err() != nil:
			return
		case errors.Is(err, broker.ErrNotScheduler):
			wait, failing = retryScheduler, false
		case err != nil:
			if !failing {
				s.warn(sch, err)
			}
			wait, failing = retryStep, true
		case failing:
			s.log.Info("periodic task is scheduled again", "task", sch.task.Name)
			failing = false
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

// warn says why a periodic task cannot be scheduled.
func (s *scheduler) warn(sch schedule, err error) {
	log := s.log.With("task", sch.task.Name, "err", err)
	var panicked *dtask.PanicError
	if errors.As(err, &panicked) {
		log = log.With("stack", panicked.Stack)
	}
	log.Warn("periodic task cannot be scheduled; trying again")
}

// catchUp enqueues every task that is due now, once for each of its ticks.
func (s *scheduler) catchUp(ctx context.Context) error {
	if s == nil {
		return nil
	}
	for _, sch := range s.schedules {
		if _, err := s.step(ctx, sch); err != nil && !errors.Is(err, broker.ErrNotScheduler) {
			return fmt.Errorf("schedule of %s: %w", sch.task.Name, err)
		}
	}
	return nil
}

// lastTickBefore returns the newest tick of a task under names that it had before,
// or now if there is none: a renamed task goes on with its ticks, and a new one ticks
// from now on.
func (s *scheduler) lastTickBefore(ctx context.Context, was []string, now time.Time) (time.Time, error) {
	var newest time.Time
	for _, name := range was {
		last, err := s.store.LastTick(ctx, name)
		if err != nil {
			return time.Time{}, err
		}
		if last.After(newest) {
			newest = last
		}
	}
	if newest.IsZero() {
		return now, nil
	}
	return newest, nil
}

// step enqueues the task for every tick that is due, and returns the next one.
func (s *scheduler) step(ctx context.Context, sch schedule) (next time.Time, err error) {
	ctx, cancel := context.WithTimeout(ctx, stepTimeout)
	defer cancel()
	for {
		last, err := s.lastTick(ctx, sch.task.Name)
		if err != nil {
			return time.Time{}, err
		}
		now := time.Now()
		if last.IsZero() { // the first start of this schedule
			from, err := s.lastTickBefore(ctx, sch.task.Spec.Was, now)
			if err != nil {
				return time.Time{}, err
			}
			if _, err := s.store.Tick(ctx, sch.task.Name, last, from, nil); err != nil {
				return time.Time{}, err
			}
			continue
		}
		if last.Sub(now) > farAhead { // without this the task would be silent until then
			s.log.Warn("the newest tick of a periodic task is in the future, made by a clock that was wrong; it ticks from now on",
				"task", sch.task.Name, "tick", last, "now", now)
			if _, err := s.store.Tick(ctx, sch.task.Name, last, now, nil); err != nil {
				return time.Time{}, err
			}
			return sch.when.Next(now), nil
		}
		tick := sch.due(last, now)
		if tick.IsZero() {
			return sch.when.Next(last), nil
		}
		missed := now.Sub(tick) > lateAfter
		paused, err := s.paused(ctx, sch)
		if err != nil {
			return time.Time{}, err
		}
		skip := missed && sch.task.Spec.SkipMissed || paused
		var id string
		var ticked bool
		if skip {
			ticked, err = s.store.Tick(ctx, sch.task.Name, last, tick, nil)
		} else {
			id, ticked, err = s.tick(ctx, sch.task, last, tick)
		}
		switch {
		case err != nil:
			return time.Time{}, err
		case !ticked: // another scheduler was faster
		case paused:
			s.log.Info("periodic task is paused; its tick is left out", "task", sch.task.Name, "tick", tick)
		case skip:
			s.log.Warn("periodic task missed its time; left out", "task", sch.task.Name, "tick", tick)
		case id == "":
			s.log.Info("periodic task dropped by middleware", "task", sch.task.Name, "tick", tick)
		case missed:
			s.log.Warn("periodic task missed its time; enqueued late", "task", sch.task.Name, "tick", tick, "id", id)
		default:
			s.log.Info("periodic task enqueued", "task", sch.task.Name, "tick", tick, "id", id)
		}
	}
}
