package console

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/dtaskhq/dtask/internal/printable"
	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/operate"
)

// pauseFlags say when a pause ends.
type pauseFlags struct {
	length time.Duration
	until  string
}

func (f *pauseFlags) add(c *cobra.Command) {
	c.Flags().DurationVar(&f.length, "for", 0, "end the pause after `DURATION`, such as 30m (default: until it is resumed)")
	c.Flags().StringVar(&f.until, "until", "", "end the pause at `TIME`, such as 15:04, \"2006-01-02 15:04\", or in RFC 3339")
}

// end returns when the pause ends, the zero time for never.
func (f *pauseFlags) end(now time.Time) (time.Time, error) {
	switch {
	case f.length < 0:
		return time.Time{}, usagef("--for %v: use a positive time, such as 30m", f.length)
	case f.length > 0 && f.until != "":
		return time.Time{}, usagef("--for and --until say the same; give one of them")
	case f.length > 0:
		return now.Add(f.length), nil
	case f.until != "":
		return parseUntil(f.until, now)
	}
	return time.Time{}, nil
}

// parseUntil reads a time that is to come. A time of the day is the next one.
func parseUntil(text string, now time.Time) (time.Time, error) {
	if at, err := time.ParseInLocation("15:04", text, now.Location()); err == nil {
		year, month, day := now.Date()
		at = time.Date(year, month, day, at.Hour(), at.Minute(), 0, 0, now.Location())
		if !at.After(now) {
			at = at.AddDate(0, 0, 1)
		}
		return at, nil
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02 15:04", "2006-01-02 15:04:05"} {
		at, err := time.ParseInLocation(layout, text, now.Location())
		switch {
		case err != nil:
		case !at.After(now):
			return at, usagef("--until %.40q is over", text)
		default:
			return at, nil
		}
	}
	return time.Time{}, usagef("--until %.40q: use a time such as 15:04, \"2006-01-02 15:04\", or RFC 3339", text)
}

func (p *Program) pauseQueue() *cobra.Command {
	var f pauseFlags
	c := &cobra.Command{
		Use:   "pause NAME",
		Short: "Stop the delivery of a queue, for all workers",
		Long: `Stop the delivery of a queue, for all workers, also those that start later: until it is
resumed, or until its time is over. What runs goes on. The queue need not exist yet.`,
		Example:           "  dtask queue pause mail\n  dtask queue pause mail --for 30m\n  dtask queue pause mail --until 06:00",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: p.completeQueue,
		RunE: func(c *cobra.Command, args []string) error {
			return p.pause(c.Context(), broker.PauseQueue, args[0], f)
		},
	}
	f.add(c)
	return c
}

func (p *Program) resumeQueue() *cobra.Command {
	return &cobra.Command{
		Use:               "resume NAME",
		Short:             "Deliver the messages of a paused queue again",
		Example:           "  dtask queue resume mail",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: p.completeQueue,
		RunE: func(c *cobra.Command, args []string) error {
			return p.resume(c.Context(), broker.PauseQueue, args[0])
		},
	}
}

// pause pauses something, and says until when.
func (p *Program) pause(ctx context.Context, what broker.Pausable, name string, f pauseFlags) error {
	if err := (broker.Pause{What: what, Name: name}).Validate(); err != nil {
		return usageError{err}
	}
	return p.pauseNamed(ctx, what, f, func(*operate.Operator) (string, error) { return name, nil })
}

// pauseNamed is pause for what is found by its name first.
func (p *Program) pauseNamed(ctx context.Context, what broker.Pausable, f pauseFlags, find func(*operate.Operator) (string, error)) error {
	now := time.Now()
	until, err := f.end(now)
	if err != nil {
		return err
	}
	return p.with(ctx, func(o *operate.Operator) error {
		name, err := find(o)
		if err == nil {
			err = o.Pause(ctx, broker.Pause{What: what, Name: name, Since: now, Until: until})
		}
		if err == nil {
			fmt.Fprintf(p.Err, "%s %s is %s\n", what, cell(name), pausedText(until))
		}
		return err
	})
}

// resume ends a pause.
func (p *Program) resume(ctx context.Context, what broker.Pausable, name string) error {
	if err := (broker.Pause{What: what, Name: name}).Validate(); err != nil {
		return usageError{err}
	}
	return p.with(ctx, func(o *operate.Operator) error {
		err := o.Resume(ctx, what, name)
		if err == nil {
			fmt.Fprintf(p.Err, "%s %s is resumed\n", what, cell(name))
		}
		return err
	})
}

// pausedText says of something that is paused until when.
func pausedText(until time.Time) string {
	if until.IsZero() {
		return "paused"
	}
	return "paused until " + clock(until)
}

func (p *Program) pauses() *cobra.Command {
	return &cobra.Command{
		Use:     "pauses",
		Short:   "List what is paused: queues, tasks and schedules",
		Example: "  dtask pauses",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return p.with(c.Context(), func(o *operate.Operator) error {
				list, err := o.Pauses(c.Context())
				return writeAll(p, list, err, pauseColumns, func(p broker.Pause) any {
					return pauseRecord{p.What, p.Name, given(p.Since), given(p.Until)}
				})
			})
		},
	}
}

type pauseRecord struct {
	What  broker.Pausable `json:"what"`
	Name  string          `json:"name"`
	Since *time.Time      `json:"since"`
	Until *time.Time      `json:"until"`
}

var pauseColumns = []column[broker.Pause]{
	{key: "what", title: "WHAT", value: func(p broker.Pause) string { return string(p.What) }},
	{key: "name", title: "NAME", value: func(p broker.Pause) string { return p.Name }},
	{key: "since", title: "FOR", cell: func(p broker.Pause) string { return printable.Since(p.Since) }, value: func(p broker.Pause) string { return stamp(p.Since) }},
	{key: "until", title: "UNTIL", cell: func(p broker.Pause) string {
		if p.Until.IsZero() {
			return "resumed"
		}
		return clock(p.Until)
	}, value: func(p broker.Pause) string { return stamp(p.Until) }},
}

func (p *Program) task() *cobra.Command {
	task := &cobra.Command{
		Use:     "task",
		Short:   "Pause or resume a task, on all queues",
		Example: "  dtask task pause mail.SendDigest --for 1h",
	}
	var f pauseFlags
	var exact, exactResume bool
	pause := &cobra.Command{
		Use:   "pause NAME",
		Short: "Do not run a task, until it is resumed or its time is over",
		Long: `Do not run a task, on whatever queue, until it is resumed or its time is over. Other tasks
of the queue go on, and so does what runs. A worker that gets such a message puts it back,
at no cost of an attempt: for as long as the pause has lasted so far, 5 minutes at most.
So after a pause some come late by that.`,
		Example: "  dtask task pause mail.SendDigest\n  dtask task pause mail.SendDigest --for 1h",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return p.pauseNamed(c.Context(), broker.PauseTask, f, func(o *operate.Operator) (string, error) {
				return findTask(c.Context(), o, args[0], exact)
			})
		},
	}
	f.add(pause)
	const useExact = "take NAME as it is, in full, though no worker has it"
	pause.Flags().BoolVar(&exact, "exact", false, useExact)
	resume := &cobra.Command{
		Use:     "resume NAME",
		Short:   "Run a paused task again",
		Example: "  dtask task resume mail.SendDigest",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return p.with(c.Context(), func(o *operate.Operator) error {
				name, err := findTask(c.Context(), o, args[0], exactResume)
				if err == nil {
					err = o.Resume(c.Context(), broker.PauseTask, name)
				}
				if err == nil {
					fmt.Fprintf(p.Err, "task %s is resumed\n", cell(name))
				}
				return err
			})
		},
	}
	resume.Flags().BoolVar(&exactResume, "exact", false, useExact)
	task.AddCommand(pause, resume)
	return task
}

func findTask(ctx context.Context, o *operate.Operator, name string, exact bool) (string, error) {
	if exact {
		return name, nil
	}
	return o.FindTask(ctx, name)
}
