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
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(tw, "done\tretried\tdead\tsnoozed\thanded back\tnot recorded\ttime\t  task")
	line := func(name string, c taskCounts) {
		fmt.Fprintf(tw, "%d\t%d\t%d\t%d\t%d\t%d\t%v\t  %s\n",
			c.Done, c.Retried, c.Dead, c.Snoozed, c.HandedBack, c.NotRecorded, c.Took.Round(time.Millisecond), name)
	}
	var total taskCounts
	for _, name := range slices.Sorted(maps.Keys(tasks)) {
		line(printable(cmp.Or(short[name], name)), tasks[name])
		total = total.plus(tasks[name])
	}
	if len(tasks) > 1 {
		line("all", total)
	}
	tw.Flush()
}
