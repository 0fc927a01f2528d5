package console

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/operate"
)

// journalFlags are the flags of the journal.
type journalFlags struct {
	task     string
	since    time.Duration
	minutes  bool
	failures bool
	acts     bool
	follow   bool
}

func (p *Program) journal() *cobra.Command {
	var f journalFlags
	f.since = time.Hour
	c := &cobra.Command{
		Use:   "journal",
		Short: "Show what became of messages, or what operators did",
		Long: `Show what became of messages since a time, by queue and task: outcomes, below which times
95 of 100 have waited and run, and the newest failure. Workers write it every few seconds.
--minutes shows each minute, by the clock of the workers, and --failures each kind of
failure. -f goes on with what is new, until it is interrupted.

--acts shows what operators have changed: who, from where, what, and how many messages.`,
		Example: "  dtask journal --since 1d --task 'mail.*'\n  dtask journal --failures\n  dtask journal --acts --since 7d",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if f.acts && (f.task != "" || f.minutes || f.failures || f.follow) {
				return usagef("--acts goes with --since alone")
			}
			if f.follow && (f.minutes || f.failures || p.format != "table" && p.format != "jsonl") {
				return usagef("-f shows all that is new, as table or jsonl; leave out --minutes and --failures")
			}
			return p.with(c.Context(), func(o *operate.Operator) error { return p.showJournal(c.Context(), o, f) })
		},
	}
	c.Flags().StringVar(&f.task, "task", "", "only tasks by this `NAME`, in full or from any slash of it on; * is any text")
	c.Flags().Var((*age)(&f.since), "since", "how far back: `90s|15m|36h|7d`")
	c.Flags().BoolVar(&f.minutes, "minutes", false, "show each minute")
	c.Flags().BoolVar(&f.failures, "failures", false, "show each kind of failure")
	c.Flags().BoolVar(&f.acts, "acts", false, "show what operators did")
	c.Flags().BoolVarP(&f.follow, "follow", "f", false, "show what is new, until it is interrupted")
	return c
}

func (p *Program) showJournal(ctx context.Context, o *operate.Operator, f journalFlags) error {
	since := time.Now().Add(-f.since)
	if f.acts {
		acts, err := o.Acts(ctx, since)
		return writeAll(p, acts, err, actColumns, func(a broker.Act) any { return a })
	}
	if f.follow {
		return p.followJournal(ctx, o, f)
	}
	ts, err := o.Journal(ctx, since)
	ts = slices.DeleteFunc(ts, func(t broker.Tally) bool { return !isOfTask(t, f.task) })
	if !f.minutes {
		ts = operate.Sum(ts)
	}
	return p.writeTallies(ts, err, f)
}

func (p *Program) writeTallies(ts []broker.Tally, err error, f journalFlags) error {
	if f.failures {
		return writeAll(p, failuresOf(ts), err, failureColumns, func(r failureRecord) any { return r })
	}
	columns := tallyColumns
	if f.minutes {
		columns = minuteColumns
	}
	return writeAll(p, ts, err, columns, func(t broker.Tally) any { return tallyRecordOf(t, f.minutes) })
}

// followJournal prints what is new. It says once when the broker is away.
func (p *Program) followJournal(ctx context.Context, o *operate.Operator, f journalFlags) error {
	if _, err := o.Journal(ctx, time.Now()); err != nil {
		return err
	}
	news := func(yield func(broker.Tally, error) bool) {
		away := false
		for t, err := range o.Follow(ctx) {
			if err != nil && !away {
				fmt.Fprintf(p.Err, "the broker does not answer; trying again: %s\n", cell(err.Error()))
			}
			if away = err != nil; away {
				continue
			}
			if isOfTask(t, f.task) && !yield(t, nil) {
				return
			}
		}
	}
	if p.format == "jsonl" {
		return write(p, news, minuteColumns, func(t broker.Tally) any { return tallyRecordOf(t, true) })
	}
	for t := range news {
		if _, err := fmt.Fprintf(p.Out, "%s  %s\n", time.Now().Format(time.TimeOnly), tallyLine(t)); err != nil {
			return err
		}
	}
	return nil
}

// tallyLine says what became of messages in one line.
func tallyLine(t broker.Tally) string {
	var parts []string
	for _, n := range []struct {
		messages int64
		what     string
	}{{t.Done, "done"}, {t.Retried, "retried"}, {t.Dead, "dead"}, {t.Snoozed, "snoozed"}, {t.HandedBack, "handed back"}, {t.Cancelled, "cancelled"}} {
		if n.messages > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n.messages, n.what))
		}
	}
	text := fmt.Sprintf("%s on %s: %s", cell(shortTask(t.Task)), cell(t.Queue), strings.Join(parts, ", "))
	if t.Ran.Count() > 0 {
		text += ", ran " + below(t.Ran)
	}
	if len(t.Failures) > 0 {
		text += "; " + newestFailure(t)
	}
	return text
}

func isOfTask(t broker.Tally, pattern string) bool {
	if pattern == "" {
		return true
	}
	s := broker.Selection{Tasks: []string{pattern}}
	return s.Matches(broker.Stored{Message: &broker.Message{Task: t.Task}})
}
