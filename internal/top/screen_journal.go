package top

import (
	"fmt"
	"strconv"
	"time"

	"github.com/dtaskhq/dtask/internal/printable"
	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/operate"
)

func journal(m *model) table {
	if m.showActs {
		return acts(m)
	}
	t := table{
		above:  []string{faint.Render("of the last hour")},
		titles: []string{"TASK", "QUEUE", "DONE", "RETRIED", "DEAD", "BACK", "WAITED", "RAN", "NEWEST FAILURE"}, nothing: "nothing was written",
	}
	for _, s := range operate.Sum(m.picture.tallies) {
		text := ""
		if len(s.Failures) > 0 {
			text = s.Failures[0].Error
		}
		t.rows = append(t.rows, []string{
			clean(shortTask(s.Task)), clean(s.Queue), strconv.FormatInt(s.Done, 10), strconv.FormatInt(s.Retried, 10), strconv.FormatInt(s.Dead, 10),
			strconv.FormatInt(s.HandedBack, 10), below(s.Waited), below(s.Ran), clean(text),
		})
	}
	return t
}

func acts(m *model) table {
	t := table{titles: []string{"AGO", "WHO", "FROM", "DID", "CHANGED", "ON"}, nothing: "no operator has changed anything for a week"}
	for i := len(m.picture.acts) - 1; i >= 0; i-- {
		a := m.picture.acts[i]
		t.rows = append(t.rows, []string{printable.Since(a.Began), clean(a.User), clean(a.Host), clean(a.Did), strconv.Itoa(a.Changed), clean(a.On)})
	}
	return t
}

// oneEntry shows a task of the journal, or an act.
func oneEntry(m *model, row int) []string {
	if m.showActs {
		a := m.picture.acts[len(m.picture.acts)-1-row]
		how := "well"
		if a.Ended.IsZero() {
			how = "not said"
		} else if a.Error != "" {
			how = a.Error
		}
		return []string{
			"when     " + a.Began.Local().Format(time.DateTime), "who      " + clean(a.User), "from     " + clean(a.Host),
			"did      " + clean(a.Did), "on       " + clean(a.On),
			fmt.Sprintf("messages %d changed, %d skipped, %s counted before", a.Changed, a.Skipped, number(a.Planned)), "ended    " + clean(how),
		}
	}
	s := operate.Sum(m.picture.tallies)[row]
	lines := []string{
		"task    " + clean(s.Task), "queue   " + clean(s.Queue),
		fmt.Sprintf("        %d done, %d retried, %d dead, %d snoozed, %d handed back, %d cancelled", s.Done, s.Retried, s.Dead, s.Snoozed, s.HandedBack, s.Cancelled), "",
		"        below      waited      ran",
	}
	for i := range broker.Buckets {
		if s.Waited.Counts[i]+s.Ran.Counts[i] > 0 {
			lines = append(lines, fmt.Sprintf("  %11s  %10d  %7d", bound(broker.BucketBelow(i)), s.Waited.Counts[i], s.Ran.Counts[i]))
		}
	}
	lines = append(lines, "")
	for _, f := range s.Failures {
		lines = append(lines, fmt.Sprintf("%d %s, newest %s ago, %s", f.Messages, clean(f.Kind), printable.Since(f.At), clean(f.ID)), "  "+clean(f.Error))
	}
	if s.OtherFailures > 0 {
		lines = append(lines, fmt.Sprintf("%d others", s.OtherFailures))
	}
	return lines
}
