package worker

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/dtaskhq/dtask/internal/crontab"
	"github.com/dtaskhq/dtask/runtime/dtask"
)

const (
	// lateAfter is how late a tick may be enqueued and still be no missed one:
	// the time that another worker may take to step in for one that died.
	lateAfter = time.Minute

	// lookAfter bounds the sleep of the scheduler, so that a change of the
	// system's clock is noticed.
	lookAfter = 30 * time.Second

	// stepTimeout bounds what is asked of the broker at a time.
	stepTimeout = 30 * time.Second

	// retryStep is the pause after the broker refused, and retryScheduler that
	// of a process that waits to become the scheduler.
	retryStep      = 2 * time.Second
	retryScheduler = 500 * time.Millisecond
)

// parseSchedule is replaced by tests that need seconds.
var parseSchedule = crontab.Parse

// Schedule enqueues the periodic tasks of the tables at their times, until ctx
// ends. It is for programs that run a [dtask.Worker] of their own, with
// Scheduled set: [Main] does the same by itself. Any number of processes may
// call it; each tick is enqueued once however many do.
//
// It returns nil at the end of ctx, and before it only if a schedule is wrong.
// It bears with a broker that does not answer.
func Schedule(ctx context.Context, client *dtask.Client, tables ...dtask.Table) error {
	if client == nil {
		return errors.New("the client is nil; check the error of dtask.Open")
	}
	schedules, err := schedulesOf(slices.Concat(tables...))
	if err != nil {
		return err
	}
	newScheduler(client.Broker(), schedules, slog.Default()).run(ctx)
	<-ctx.Done() // where there are no periodic tasks
	return nil
}

// A schedule says when a periodic task is due. Its name at the broker is that
// of the task.
type schedule struct {
	task dtask.Handler
	when crontab.Schedule
}

// schedulesOf returns the schedules of the periodic tasks.
func schedulesOf(tasks []dtask.Handler) ([]schedule, error) {
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
	broker    dtask.Scheduler
	schedules []schedule
	log       *slog.Logger
}

func newScheduler(broker dtask.Scheduler, schedules []schedule, log *slog.Logger) *scheduler {
	return &scheduler{broker, schedules, log}
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
		case errors.Is(err, dtask.ErrNotScheduler):
			wait, failing = retryScheduler, false
		case err != nil:
			if !failing {
				s.log.Warn("periodic task cannot be scheduled; trying on", "task", sch.task.Name, "err", err)
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

// catchUp enqueues every task that is due now, once for each of its ticks.
func (s *scheduler) catchUp(ctx context.Context) error {
	if s == nil {
		return nil
	}
	for _, sch := range s.schedules {
		if _, err := s.step(ctx, sch); err != nil && !errors.Is(err, dtask.ErrNotScheduler) {
			return fmt.Errorf("schedule of %s: %w", sch.task.Name, err)
		}
	}
	return nil
}

// step enqueues the task for every tick that is due, and returns the next one.
func (s *scheduler) step(ctx context.Context, sch schedule) (next time.Time, err error) {
	ctx, cancel := context.WithTimeout(ctx, stepTimeout)
	defer cancel()
	for {
		last, err := s.broker.LastTick(ctx, sch.task.Name)
		if err != nil {
			return time.Time{}, err
		}
		now := time.Now()
		if last.IsZero() { // its first start: it ticks from now on
			if _, err := s.broker.Tick(ctx, sch.task.Name, last, now, nil); err != nil {
				return time.Time{}, err
			}
			continue
		}
		tick := sch.due(last, now)
		if tick.IsZero() {
			return sch.when.Next(last), nil
		}
		var m *dtask.Message
		missed := now.Sub(tick) > lateAfter
		if !missed || !sch.task.Spec.SkipMissed {
			m = sch.message(tick, now)
		}
		ticked, err := s.broker.Tick(ctx, sch.task.Name, last, tick, m)
		switch {
		case err != nil:
			return time.Time{}, err
		case !ticked: // another scheduler was faster
		case m == nil:
			s.log.Warn("periodic task missed its time; left out", "task", sch.task.Name, "tick", tick)
		case missed:
			s.log.Warn("periodic task missed its time; enqueued late", "task", sch.task.Name, "tick", tick, "id", m.ID)
		default:
			s.log.Info("periodic task enqueued", "task", sch.task.Name, "tick", tick, "id", m.ID)
		}
	}
}

// due returns the tick to enqueue at now, or the zero time if there is none
// after last: the first that is not missed, or else the newest of the missed
// ones, which stands for them all.
func (sch schedule) due(last, now time.Time) time.Time {
	for reach := lateAfter; ; reach *= 2 {
		from := now.Add(-reach)
		if from.Before(last) {
			from = last
		}
		if tick := sch.when.Next(from); !tick.After(now) {
			if reach == lateAfter {
				return tick
			}
			return sch.newest(tick, now)
		}
		if from.Equal(last) {
			return time.Time{}
		}
	}
}

// newest returns the newest tick up to now, of which tick is one.
func (sch schedule) newest(tick, now time.Time) time.Time {
	for {
		next := sch.when.Next(tick)
		if next.After(now) {
			return tick
		}
		tick = next
	}
}

// TickHeader is the header of a periodic task's message that holds the time of
// its tick, in the format of RFC 3339.
const TickHeader = "dtask-tick"

// message returns the message of a tick.
func (sch schedule) message(tick, now time.Time) *dtask.Message {
	spec := sch.task.Spec
	return &dtask.Message{
		ID:         tickID(sch.task.Name, tick),
		Task:       sch.task.Name,
		Queue:      spec.Queue,
		Body:       []byte("{}"),
		Schema:     spec.Schema,
		Priority:   spec.Priority,
		Attempt:    1,
		Attempts:   spec.Retries + 1,
		EnqueuedAt: now,
		Keep:       spec.Keep,
		Headers:    map[string]string{TickHeader: tick.UTC().Format(time.RFC3339)},
	}
}

// tickID returns the id of a tick's message, the same in whichever process: a
// UUIDv8 of a SHA-256 (RFC 9562, section 5.8 and appendix B.2).
func tickID(task string, tick time.Time) string {
	u := sha256.Sum256([]byte(task + "@" + tick.UTC().Format(time.RFC3339)))
	u[6] = 0x80 | u[6]&0x0f
	u[8] = 0x80 | u[8]&0x3f
	return fmt.Sprintf("%x-%x-%x-%x-%x", u[0:4], u[4:6], u[6:8], u[8:10], u[10:16])
}
