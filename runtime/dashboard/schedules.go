package dashboard

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/dtaskhq/dtask/internal/crontab"
	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/operate"
	"github.com/dtaskhq/dtask/runtime/operate/selection"
)

// schedulesPage is what the page of schedules shows.
type schedulesPage struct {
	Verdict, Rest string
	Rows          []scheduleRow
}

// A scheduleRow is a schedule as the page has it.
type scheduleRow struct {
	Name        string
	Says, Class string
	Icon        string
	When, Cron  string
	Next, In    string
	Then        string
	Tick        time.Time
	TickAgo     string
	Outcome     *state
	Under       string
	Paused      bool
}

func (v *visit) schedules() (any, error) {
	seen := see(v, v.looks.schedules)
	if !seen.known() {
		return nil, seen.unseen()
	}
	var p schedulesPage
	var next time.Time
	paused := 0
	for _, s := range seen.value {
		row := v.scheduleRow(s)
		if row.Paused {
			paused++
		} else if len(s.Next) > 0 && (next.IsZero() || s.Next[0].Before(next)) {
			next = s.Next[0]
		}
		p.Rows = append(p.Rows, row)
	}
	slices.SortStableFunc(p.Rows, func(a, b scheduleRow) int { return cmp.Compare(weight(b.Class), weight(a.Class)) })
	p.Verdict = plural(len(p.Rows), "schedule") + "."
	switch {
	case len(p.Rows) == 0:
		p.Verdict, p.Rest = "No worker has a schedule.", ""
	case !next.IsZero():
		p.Verdict = fmt.Sprintf("%s, next tick in %s.", plural(len(p.Rows), "schedule"), took(next.Sub(v.now).Truncate(time.Second)))
	}
	switch {
	case paused == 1:
		p.Rest = "One is paused."
	case paused > 1:
		p.Rest = number(paused) + " are paused."
	}
	return p, nil
}

func weight(class string) int { return map[string]int{"act": 2, "look": 1}[class] }

func (v *visit) scheduleRow(s operate.Schedule) scheduleRow {
	cron, zone := cronZone(s.Cron)
	row := scheduleRow{Name: s.Name, Cron: cron, When: cronWords(cron), Tick: s.Tick}
	if row.When == "" {
		row.When, row.Cron = cron, ""
	}
	if zone != time.UTC {
		row.When += ", " + zoneWord(zone)
	}
	if s.Pause != nil {
		row.Paused, row.Class, row.Icon, row.Says = true, "look", "paused", "paused; its ticks are left out"
		if !s.Pause.Until.IsZero() {
			row.Says = fmt.Sprintf("paused until %s UTC, %s left", clock(s.Pause.Until, v.now), ago(s.Pause.Until.Sub(v.now)))
		}
	} else if len(s.Next) > 0 {
		row.Next, row.In, row.Then = nextTimes(s.Next, zone, v.now)
	}
	if workers := see(v, v.looks.workers); workers.known() && len(operate.Consuming(workers.value, s.Queue)) == 0 {
		row.Class, row.Icon, row.Says = "act", "look", "no worker consumes "+s.Queue
	}
	if ticked(s) {
		row.TickAgo = ago(v.now.Sub(s.Tick)) + " ago"
		row.Outcome, row.Under = v.tickOutcome(s)
	}
	return row
}

// ticked reports whether the newest tick is one. A worker that watches the clock for a
// schedule for the first time notes the moment, from which on it ticks.
func ticked(s operate.Schedule) bool {
	when, err := crontab.Parse(s.Cron)
	return err == nil && !s.Tick.IsZero() && when.Next(s.Tick.Add(-time.Second)).Equal(s.Tick)
}

// nextTimes writes when a schedule is due next, and then.
func nextTimes(times []time.Time, zone *time.Location, now time.Time) (next, in, then string) {
	layout := "15:04"
	if times[len(times)-1].Sub(now) > 24*time.Hour {
		layout = "Mon 2 Jan, 15:04"
	}
	var rest []string
	for _, t := range times[1:] {
		if layout != "15:04" {
			rest = append(rest, t.In(zone).Format("2 Jan"))
			continue
		}
		rest = append(rest, t.In(zone).Format("15:04"))
	}
	return times[0].In(zone).Format(layout), "in " + took(times[0].Sub(now).Truncate(time.Second)), "then " + strings.Join(slices.Compact(rest), ", ")
}

// tickOutcome says what became of the newest tick, as far as it is known: of a task that
// runs now, and of one that has ended in the last hour.
func (v *visit) tickOutcome(s operate.Schedule) (*state, string) {
	for _, p := range see(v, v.looks.workers).value {
		for _, r := range p.Running {
			if r.Task == s.Name && !r.Since.Before(s.Tick) {
				return &state{"running", "running", "running", ""}, "for " + took(v.now.Sub(r.Since))
			}
		}
	}
	var sum broker.Tally
	for _, t := range see(v, v.looks.hour).value {
		if t.Task == s.Name && !t.Minute.Before(s.Tick.Truncate(time.Minute)) {
			sum.Add(&t)
		}
	}
	switch {
	case sum.Dead > 0 && len(sum.Failures) > 0:
		return &state{"dead", "dead", "dead", ""}, sum.Failures[0].Kind + ": " + withoutKind(sum.Failures[0].Kind, sum.Failures[0].Error)
	case sum.Done > 0:
		return &state{"done", "done", "done", ""}, "took " + took(sum.Ran.Mean())
	case sum.Retried > 0:
		return &state{"retried", "retried", "retried", ""}, ""
	}
	return nil, ""
}

// schedule returns the schedule that a form names.
func (v *visit) schedule() (operate.Schedule, error) {
	return v.operator.FindSchedule(v.ctx(), v.r.PostForm.Get("schedule"))
}

func (v *visit) runSchedule() (said, to string, err error) {
	s, err := v.schedule()
	if err != nil {
		return "", "schedules", err
	}
	id, err := v.operator.RunSchedule(v.ctx(), s)
	return fmt.Sprintf("%s was enqueued as %s.", short(s.Name), tail(id)), "schedules", err
}

func (v *visit) pauseSchedule() (said, to string, err error) {
	s, err := v.schedule()
	if err != nil {
		return "", "schedules", err
	}
	p := broker.Pause{What: broker.PauseSchedule, Name: s.Name}
	said = short(s.Name) + " is paused: its ticks are left out."
	if text := v.r.PostForm.Get("for"); text != "" {
		d, err := selection.ParseAge(text)
		if err != nil {
			return "", "schedules", err
		}
		p.Until = v.now.Add(d)
		said = fmt.Sprintf("%s is paused until %s UTC: its ticks are left out.", short(s.Name), clock(p.Until, v.now))
	}
	return said, "schedules", v.operator.Pause(v.ctx(), p)
}

func (v *visit) resumeSchedule() (said, to string, err error) {
	s, err := v.schedule()
	if err != nil {
		return "", "schedules", err
	}
	return short(s.Name) + " goes on.", "schedules", v.operator.Resume(v.ctx(), broker.PauseSchedule, s.Name)
}
