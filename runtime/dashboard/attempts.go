package dashboard

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// A chartSpan is a time that the chart can show.
type chartSpan struct {
	Name, Word string
	Now        bool
}

// attempts draws the chart of the span that is asked for, with a mark where a build
// appeared. There is none while the broker is being asked.
func (v *visit) attempts(hour []broker.Tally, workers []broker.Process) (*chart, []chartSpan) {
	spans := []chartSpan{{"Hour", "", false}, {"Day", "day", false}, {"Week", "week", false}}
	asked := v.r.URL.Query().Get("span")
	var c *chart
	switch asked {
	case "day", "week":
		hours := map[string]int{"day": 24, "week": 7 * 24}[asked]
		since := v.now.Truncate(time.Hour).Add(-time.Duration(hours) * time.Hour)
		did, bad := make([]float64, hours), make([]float64, hours)
		seen := see(v, v.looks.week)
		if !seen.known() && seen.err == nil {
			break
		}
		w := seen.value
		for i := range hours {
			r := w.hours[since.Add(time.Duration(i)*time.Hour).Unix()]
			did[i], bad[i] = float64(r.done)/60, float64(r.failed)/60
		}
		c = newChart(did, bad, since, time.Hour, marksOf(workers))
	default:
		asked = ""
		since := v.now.Truncate(time.Minute).Add(-59 * time.Minute)
		c = newChart(perMinute(hour, v.now, 60, done), perMinute(hour, v.now, 60, failed), since, time.Minute, marksOf(workers))
	}
	for i := range spans {
		spans[i].Now = spans[i].Word == asked
	}
	if c == nil {
		return nil, spans
	}
	c.Says = fmt.Sprintf("Attempts a minute in the last %s: at most about %s done and %s failed.", cmp.Or(asked, "hour"), c.DoneMost, c.FailedMost)
	return c, spans
}

// marksOf returns when each build of the living workers was started first.
func marksOf(ps []broker.Process) (marks []mark) {
	for _, p := range ps {
		name := buildName(p.Build)
		i := slices.IndexFunc(marks, func(m mark) bool { return m.text == name })
		switch {
		case name == "":
		case i < 0:
			marks = append(marks, mark{p.Started, name})
		case p.Started.Before(marks[i].at):
			marks[i].at = p.Started
		}
	}
	return marks
}

// buildName names a build by its version, or else by its revision or its file.
func buildName(b broker.Build) string {
	const digits = 7
	if b.Version != "" && b.Version != "(devel)" {
		return b.Version
	}
	return cmp.Or(b.Revision[:min(len(b.Revision), digits)], b.Program)
}
