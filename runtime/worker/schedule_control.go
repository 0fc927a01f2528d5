package worker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// lastTick returns the newest tick of a task, and notes it for operators.
func (s *scheduler) lastTick(ctx context.Context, task string) (time.Time, error) {
	last, err := s.store.LastTick(ctx, task)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil || last.IsZero() {
		delete(s.ticks, task) // another process may know better
	} else {
		s.ticks[task] = last
	}
	return last, err
}

// announced returns the schedules as operators see them.
func (s *scheduler) announced() (list []broker.ProcessSchedule) {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, sch := range s.schedules {
		spec := sch.task.Spec
		list = append(list, broker.ProcessSchedule{
			Name: sch.task.Name, Cron: spec.Cron, Tick: s.ticks[sch.task.Name],
			Queue: spec.Queue, Schema: spec.Schema, Priority: spec.Priority, Retries: spec.Retries, Keep: spec.Keep,
		})
	}
	slices.SortFunc(list, func(a, b broker.ProcessSchedule) int { return cmp.Compare(a.Name, b.Name) })
	return list
}

// paused reports whether the ticks of a schedule are to be left out.
func (s *scheduler) paused(ctx context.Context, sch schedule) (bool, error) {
	pauser, err := broker.As[broker.Pauser](s.client.Broker())
	if err != nil {
		return false, nil // it can pause nothing
	}
	pauses, err := pauser.Pauses(ctx)
	return slices.ContainsFunc(pauses, func(p broker.Pause) bool {
		return p.What == broker.PauseSchedule && p.Name == sch.task.Name
	}), err
}

// reset makes now the newest tick of a schedule, if this is the process that may tick.
func (s *scheduler) reset(ctx context.Context, task string) error {
	if s == nil || !slices.ContainsFunc(s.schedules, func(sch schedule) bool { return sch.task.Name == task }) {
		return fmt.Errorf("this process watches the clock for no task %.100q", task)
	}
	last, err := s.lastTick(ctx, task)
	if err == nil {
		_, err = s.store.Tick(ctx, task, last, time.Now(), nil)
	}
	if errors.Is(err, broker.ErrNotScheduler) {
		return nil // the one that may has the same order
	}
	if err == nil {
		_, err = s.lastTick(ctx, task)
	}
	return err
}
