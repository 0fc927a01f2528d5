package worker

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"text/tabwriter"
	"time"
)

// printSummary prints what a drain did, if it did anything.
func printSummary(w io.Writer, tasks map[string]taskCounts, short map[string]string) {
	if len(tasks) == 0 {
		return
	}
	var total taskCounts
	for _, c := range tasks {
		total = total.plus(c)
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	line := func(cancelled, notRecorded, took, name string, counts ...any) {
		if total.NotRecorded == 0 { // as it should be
			notRecorded = ""
		}
		if total.Cancelled > 0 { // mostly none is
			notRecorded = cancelled + notRecorded
		}
		fmt.Fprintf(tw, "%v\t%v\t%v\t%v\t%v\t%s%s\t  %s\n", append(counts, notRecorded, took, name)...)
	}
	line("cancelled\t", "not recorded\t", "time", "task", "done", "retried", "dead", "snoozed", "handed back")
	row := func(name string, c taskCounts) {
		line(fmt.Sprintf("%d\t", c.Cancelled), fmt.Sprintf("%d\t", c.NotRecorded), c.Took.Round(time.Millisecond).String(), name,
			c.Done, c.Retried, c.Dead, c.Snoozed, c.HandedBack)
	}
	for _, name := range slices.Sorted(maps.Keys(tasks)) {
		row(printable(cmp.Or(short[name], name)), tasks[name])
	}
	if len(tasks) > 1 {
		row("all", total)
	}
	tw.Flush()
}
