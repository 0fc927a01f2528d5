package operate

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/dtaskhq/dtask/internal/crontab"
	"github.com/dtaskhq/dtask/internal/spelling"
	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/dtask"
)

// ErrNoSchedule: no living process watches the clock for such a task.
var ErrNoSchedule = errors.New("no worker has such a schedule")

// A Schedule is a periodic task as the living processes have it. Two builds may have two
// of one name.
type Schedule struct {
	broker.ProcessSchedule // with the newest tick that any of the processes knows

	Next      []time.Time   // the next times
	Processes int           // that have it
	Pause     *broker.Pause // nil: it is not paused
}

// nextTimes is how many of the next times a schedule has.
const nextTimes = 5

// Schedules returns the schedules of all living processes, sorted by name. One that no
// process has is not among them.
func (o *Operator) Schedules(ctx context.Context) ([]Schedule, error) {
	ps, err := o.Workers(ctx)
	if err != nil {
		return nil, err
	}
	pauses, err := o.Pauses(ctx)
	if err != nil {
		return nil, err
	}
	var list []Schedule
	for _, p := range ps {
		for _, s := range p.Schedules {
			i := slices.IndexFunc(list, func(known Schedule) bool {
				return known.Name == s.Name && known.Cron == s.Cron && known.Schema == s.Schema
			})
			if i < 0 {
				i = len(list)
				list = append(list, Schedule{ProcessSchedule: s})
			}
			list[i].Processes++
			if s.Tick.After(list[i].Tick) {
				list[i].Tick = s.Tick
			}
		}
	}
	now := time.Now()
	for i := range list {
		s := &list[i]
		if when, err := crontab.Parse(s.Cron); err == nil {
			for at := now; len(s.Next) < nextTimes; {
				at = when.Next(at)
				s.Next = append(s.Next, at)
			}
		}
		if j := slices.IndexFunc(pauses, func(p broker.Pause) bool { return p.What == broker.PauseSchedule && p.Name == s.Name }); j >= 0 {
			s.Pause = &pauses[j]
		}
	}
	slices.SortFunc(list, func(a, b Schedule) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Cron, b.Cron)) })
	return list, nil
}

// FindSchedule returns the one schedule that a name means: in full, or from any slash of
// it on. The error wraps [ErrNoSchedule] if there is none.
func (o *Operator) FindSchedule(ctx context.Context, name string) (Schedule, error) {
	all, err := o.Schedules(ctx)
	if err != nil {
		return Schedule{}, err
	}
	var found []Schedule
	var names []string
	for _, s := range all {
		short := s.Name[strings.LastIndexByte(s.Name, '/')+1:]
		names = append(names, short)
		if s.Name == name || strings.HasSuffix(s.Name, "/"+name) {
			found = append(found, s)
		}
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(found) > 1 && found[0].Name == found[len(found)-1].Name:
		return found[0], nil // of two builds
	case len(found) > 1:
		return Schedule{}, fmt.Errorf("%d schedules are called %.100q; use the name in full", len(found), name)
	}
	if near := spelling.Nearest(name, names); near != "" {
		return Schedule{}, fmt.Errorf("%.100q: %w; did you mean %s?", name, ErrNoSchedule, near)
	}
	return Schedule{}, fmt.Errorf("%.100q: %w; there are %s", name, ErrNoSchedule, listed(names))
}

// RunSchedule enqueues a periodic task now, beside its ticks, and returns the id of the
// message. It is no tick: the next one comes at its time.
func (o *Operator) RunSchedule(ctx context.Context, s Schedule) (id string, err error) {
	spec := dtask.Spec{Queue: s.Queue, Schema: s.Schema, Priority: s.Priority, Retries: s.Retries, Keep: s.Keep}
	client := dtask.NewClient(o.broker, dtask.WithLogger(slog.New(slog.DiscardHandler)))
	task := dtask.Define[json.RawMessage, dtask.None](s.Name, spec)
	err = o.actOn(ctx, "run", "schedule:"+s.Name, func() error {
		h, err := task.Delay(dtask.NewContext(ctx, client), json.RawMessage("{}"),
			dtask.Header(dtask.TickHeader, time.Now().UTC().Format(time.RFC3339)))
		id = h.ID
		return err
	})
	return id, err
}

// ResetSchedule makes now the newest tick of a schedule: what was missed is left out, and
// a tick that a wrong clock has made counts no more.
func (o *Operator) ResetSchedule(ctx context.Context, s Schedule) error {
	commander, err := broker.As[broker.Commander](o.broker)
	if err != nil {
		return err
	}
	return o.actOn(ctx, "reset", "schedule:"+s.Name, func() error { return o.resetSchedule(ctx, commander, s) })
}

func (o *Operator) resetSchedule(ctx context.Context, commander broker.Commander, s Schedule) error {
	begun := time.Now()
	var before map[string]time.Time // the newest ticks, by process
	for given := (time.Time{}); ; {
		ps, err := o.Workers(ctx)
		if err != nil {
			return err
		}
		if before == nil {
			before = ticks(ps, s.Name)
		}
		if time.Since(given) > orderAgain {
			given = time.Now()
			for _, p := range ps {
				if hasSchedule(p, s.Name) < 0 {
					continue
				}
				if err := commander.Order(ctx, p.ID, broker.Order{Kind: broker.OrderReset, Schedule: s.Name}); err != nil {
					return err
				}
			}
		}
		for id, tick := range ticks(ps, s.Name) { // their clocks may be others than ours
			if old, known := before[id]; known && !tick.Equal(old) {
				return nil
			}
		}
		if time.Since(begun) > obeyPatience {
			return fmt.Errorf("no worker has reset the schedule of %s within %v; look whether one runs that has it", s.Name, obeyPatience)
		}
		select {
		case <-time.After(lookAgain):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// ticks returns the newest ticks of a schedule that processes know of, by their ids.
func ticks(ps []broker.Process, name string) map[string]time.Time {
	all := make(map[string]time.Time)
	for _, p := range ps {
		if i := hasSchedule(p, name); i >= 0 {
			all[p.ID] = p.Schedules[i].Tick
		}
	}
	return all
}

// hasSchedule returns the index of a schedule of a process, or -1.
func hasSchedule(p broker.Process, name string) int {
	return slices.IndexFunc(p.Schedules, func(s broker.ProcessSchedule) bool { return s.Name == name })
}
