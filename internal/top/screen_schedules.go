package top

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/dtaskhq/dtask/internal/printable"
	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/operate"
)

func schedules(m *model) table {
	t := table{titles: []string{"TASK", "CRON", "QUEUE", "NEWEST", "NEXT", "WORKERS", ""}, nothing: "no worker has a periodic task"}
	if m.picture.noSchedules != nil {
		t.nothing = clean(m.picture.noSchedules.Error())
	}
	for _, s := range m.picture.schedules {
		next, note := "-", ""
		if len(s.Next) > 0 {
			next = printable.Since(s.Next[0])
		}
		if s.Pause != nil {
			note = pausedText(s.Pause.Until)
		}
		t.rows = append(t.rows, []string{
			clean(shortTask(s.Name)), clean(s.Cron), clean(s.Queue), printable.Since(s.Tick), next, strconv.Itoa(s.Processes), note,
		})
	}
	return t
}

func pausedText(until time.Time) string {
	if until.IsZero() {
		return "paused"
	}
	return "paused, ends " + printable.Since(until)
}

func oneSchedule(m *model, row int) []string {
	s := m.picture.schedules[row]
	lines := []string{
		"task       " + clean(s.Name),
		"cron       " + clean(s.Cron),
		"queue      " + clean(s.Queue),
		"schema     " + clean(s.Schema),
		fmt.Sprintf("workers    %d watch the clock for it", s.Processes),
		"newest     " + tickText(s.Tick),
	}
	if s.Pause != nil {
		lines = append(lines, "           "+pausedText(s.Pause.Until))
	}
	lines = append(lines, "", "next")
	for _, at := range s.Next {
		lines = append(lines, "  "+at.Local().Format(time.DateTime)+"  "+printable.Since(at))
	}
	return lines
}

func tickText(at time.Time) string {
	if at.IsZero() {
		return "none that a worker knows"
	}
	return at.Local().Format(time.DateTime) + "  " + printable.Since(at)
}

// changeSchedule returns what pauses, resumes, runs or resets the marked schedule.
func (m *model) changeSchedule(key string) func(context.Context) (*change, error) {
	i := m.marked[schedulesScreen]
	if i >= len(m.picture.schedules) {
		return nil
	}
	s, o := m.picture.schedules[i], m.operator
	name := "schedule " + shortTask(s.Name)
	changes := map[string]change{
		"P": {-1, "pause " + name, func(ctx context.Context) (string, error) {
			return said(name+" is paused", o.Pause(ctx, broker.Pause{What: broker.PauseSchedule, Name: s.Name}))
		}},
		"U": {-1, "resume " + name, func(ctx context.Context) (string, error) {
			return said(name+" is resumed", o.Resume(ctx, broker.PauseSchedule, s.Name))
		}},
		"R": {-1, "enqueue " + name + " once now", func(ctx context.Context) (string, error) {
			id, err := o.RunSchedule(ctx, s)
			return said("enqueued "+id, err)
		}},
		"X": {-1, "leave out what " + name + " has missed", func(ctx context.Context) (string, error) {
			return said(name+" is reset", o.ResetSchedule(ctx, s))
		}},
	}
	return func(context.Context) (*change, error) {
		c := changes[key]
		return &c, nil
	}
}

// lookAtSchedules asks for the schedules. A broker without any is no error.
func (p *picture) lookAtSchedules(ctx context.Context, o *operate.Operator) error {
	p.schedules, p.noSchedules = nil, nil
	list, err := o.Schedules(ctx)
	if unsupported(err) {
		p.noSchedules, err = err, nil
	}
	p.schedules = list
	return err
}
