package dashboard

import (
	"fmt"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// A figure is a big number with a line under it.
type figure struct {
	Name, Number, Says, Class string
	Spark                     *spark
}

// figures are the four big numbers.
func (v *visit) figures(rows []queueRow, hour []broker.Tally) []figure {
	var r rate
	var died int64
	for i := range hour {
		r.add(&hour[i])
		died += hour[i].Dead
	}
	waiting, deads := 0, 0
	var oldest queueRow
	for _, q := range rows {
		waiting += max(q.Ready, 0)
		deads += max(q.Dead, 0)
		if q.long > oldest.long {
			oldest = q
		}
	}
	failures := figure{Name: "Failed, last hour", Number: number(r.failed), Class: "dim", Says: percent(r.failed, r.attempts()) + " of the attempts"}
	sparkClass := ""
	usual := v.looks.week.peek().value.all()
	if share := float64(r.failed) / float64(max(r.attempts(), 1)); share > muchFailure && r.failed > 1 {
		failures.Class, sparkClass = "act", "act"
	}
	if usual.attempts() > 10*r.attempts() {
		failures.Says = percent(r.failed, r.attempts()) + ", this week " + percent(usual.failed, usual.attempts())
	}
	failures.Spark = newSpark(sparkClass, perMinute(hour, v.now, 60, failed))
	wait := figure{Name: "Waiting now", Number: number(waiting), Class: "dim", Says: "nothing is due", Spark: newSpark("", waits(hour, v.now, 60))}
	if oldest.Oldest != "" {
		wait.Says = "oldest " + oldest.Oldest + ", in " + oldest.Queue
		if oldest.worst >= worstBehind {
			wait.Class = "look"
		}
	} else if waiting > 0 {
		wait.Says = "since when is not known"
	}
	return []figure{
		{Name: "Done, last hour", Number: number(r.done), Class: "dim", Says: pace(r.done), Spark: newSpark("accent", perMinute(hour, v.now, 60, done))},
		failures,
		wait,
		{Name: "Dead letters", Number: number(deads), Class: "dim", Says: number(died) + " in the last hour", Spark: newSpark("", perMinute(hour, v.now, 60, dead))},
	}
}

// pace writes what an hour's number is in a second, or in a minute.
func pace(n int64) string {
	switch r := float64(n) / 3600; {
	case r >= 100:
		return number(int64(r)) + " a second"
	case r >= 1:
		return fmt.Sprintf("%.1f a second", r)
	}
	return fmt.Sprintf("%.1f a minute", float64(n)/60)
}
