package console

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/dtaskhq/dtask/internal/printable"
	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/operate"
)

func (p *Program) schedules() *cobra.Command {
	c := &cobra.Command{
		Use:   "schedules",
		Short: "List the periodic tasks with their next times; run, pause or reset one",
		Long: `List the periodic tasks that living workers watch the clock for: the schedule, the newest
tick, and the next five times. In JSON the times are in UTC.`,
		Example: "  dtask schedules\n  dtask schedules run mail.PurgeBounces",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return p.with(c.Context(), func(o *operate.Operator) error {
				list, err := o.Schedules(c.Context())
				return writeAll(p, list, err, scheduleColumns, func(s operate.Schedule) any { return scheduleRecordOf(s) })
			})
		},
	}
	c.AddCommand(p.runSchedule(), p.pauseSchedule(),
		p.onSchedule("resume", "Have the ticks of a paused schedule enqueue again", "is resumed", func(ctx context.Context, o *operate.Operator, s operate.Schedule) error {
			return o.Resume(ctx, broker.PauseSchedule, s.Name)
		}),
		p.onSchedule("reset", "Make now the newest tick of a schedule: what was missed is left out", "is reset", func(ctx context.Context, o *operate.Operator, s operate.Schedule) error {
			return o.ResetSchedule(ctx, s)
		}))
	return c
}

// onSchedule is a command for one schedule.
func (p *Program) onSchedule(name, short, done string, do func(context.Context, *operate.Operator, operate.Schedule) error) *cobra.Command {
	return &cobra.Command{
		Use:               name + " NAME",
		Short:             short,
		Example:           "  dtask schedules " + name + " mail.PurgeBounces",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: p.completeSchedule,
		RunE: func(c *cobra.Command, args []string) error {
			return p.with(c.Context(), func(o *operate.Operator) error {
				s, err := o.FindSchedule(c.Context(), args[0])
				if err == nil {
					err = do(c.Context(), o, s)
				}
				if err == nil {
					fmt.Fprintf(p.Err, "schedule %s %s\n", cell(s.Name), done)
				}
				return err
			})
		},
	}
}

func (p *Program) runSchedule() *cobra.Command {
	c := p.onSchedule("run", "Enqueue a periodic task now", "", nil)
	c.Long = "Enqueue a periodic task now, beside its ticks, and print the id of the message. Its next\ntick comes at its time."
	c.RunE = func(c *cobra.Command, args []string) error {
		return p.with(c.Context(), func(o *operate.Operator) error {
			s, err := o.FindSchedule(c.Context(), args[0])
			if err != nil {
				return err
			}
			id, err := o.RunSchedule(c.Context(), s)
			if err == nil {
				fmt.Fprintln(p.Out, id)
			}
			return err
		})
	}
	return c
}

func (p *Program) pauseSchedule() *cobra.Command {
	var f pauseFlags
	c := p.onSchedule("pause", "Leave out the ticks of a schedule, until it is resumed or its time is over", "", nil)
	c.RunE = func(c *cobra.Command, args []string) error {
		return p.pauseNamed(c.Context(), broker.PauseSchedule, f, func(o *operate.Operator) (string, error) {
			s, err := o.FindSchedule(c.Context(), args[0])
			return s.Name, err
		})
	}
	f.add(c)
	return c
}

// completeSchedule completes the name of a schedule.
func (p *Program) completeSchedule(c *cobra.Command, args []string, _ string) (names []cobra.Completion, _ cobra.ShellCompDirective) {
	if len(args) == 0 {
		ctx, cancel := context.WithTimeout(c.Context(), completeTimeout)
		defer cancel()
		p.with(ctx, func(o *operate.Operator) error {
			list, err := o.Schedules(ctx)
			for _, s := range list {
				names = append(names, shortTask(s.Name))
			}
			return err
		})
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

type scheduleRecord struct {
	Name        string      `json:"name"`
	Cron        string      `json:"cron"`
	Queue       string      `json:"queue"`
	Tick        *time.Time  `json:"tick"` // the newest one
	Next        []time.Time `json:"next"`
	Paused      bool        `json:"paused"`
	PausedUntil *time.Time  `json:"paused_until"`
	Workers     int         `json:"workers"` // that have it
}

func scheduleRecordOf(s operate.Schedule) scheduleRecord {
	r := scheduleRecord{Name: s.Name, Cron: s.Cron, Queue: s.Queue, Tick: given(s.Tick), Paused: s.Pause != nil, Workers: s.Processes}
	for _, at := range s.Next {
		r.Next = append(r.Next, at.UTC())
	}
	if s.Pause != nil {
		r.PausedUntil = given(s.Pause.Until)
	}
	return r
}

var scheduleColumns = []column[operate.Schedule]{
	{key: "name", title: "TASK", cell: func(s operate.Schedule) string { return shortTask(s.Name) }, value: func(s operate.Schedule) string { return s.Name }},
	{key: "cron", title: "CRON", value: func(s operate.Schedule) string { return s.Cron }},
	{key: "queue", value: func(s operate.Schedule) string { return s.Queue }},
	{key: "tick", title: "NEWEST", cell: func(s operate.Schedule) string { return printable.Since(s.Tick) }, value: func(s operate.Schedule) string { return stamp(s.Tick) }},
	{key: "next", title: "NEXT", cell: func(s operate.Schedule) string { return joined(s.Next, printable.Since) }, value: func(s operate.Schedule) string { return joined(s.Next, stamp) }},
	{key: "paused", title: "PAUSED", cell: func(s operate.Schedule) string {
		if s.Pause == nil {
			return ""
		}
		return pausedText(s.Pause.Until)
	}, value: func(s operate.Schedule) string { return strconv.FormatBool(s.Pause != nil) }},
	{key: "paused_until", value: func(s operate.Schedule) string {
		if s.Pause == nil {
			return ""
		}
		return stamp(s.Pause.Until)
	}},
	{key: "workers", title: "WORKERS", value: func(s operate.Schedule) string { return strconv.Itoa(s.Processes) }},
}

func joined(times []time.Time, text func(time.Time) string) string {
	var texts []string
	for _, t := range times {
		texts = append(texts, strings.TrimPrefix(text(t), "in "))
	}
	return strings.Join(texts, " ")
}
