package worker

import (
	"fmt"
	"testing"
)

// Counts by name are bounded, for names come from messages. Nothing is left out
// of their sum.
func TestCountsAreBounded(t *testing.T) {
	c := newCounts()
	for range 2 {
		for i := range 3 * maxTasks {
			c.add(fmt.Sprintf("pkg.Task%d", i), taskCounts{HandedBack: 1})
		}
	}
	all := c.all()
	if len(all) != maxTasks+1 {
		t.Errorf("%d names are counted, want %d", len(all), maxTasks+1)
	}
	var sum taskCounts
	for _, one := range all {
		sum = sum.plus(one)
	}
	if sum.HandedBack != 6*maxTasks || all["pkg.Task0"].HandedBack != 2 || all[others].HandedBack != 4*maxTasks {
		t.Errorf("sum %d, first task %d, others %d", sum.HandedBack, all["pkg.Task0"].HandedBack, all[others].HandedBack)
	}
}
