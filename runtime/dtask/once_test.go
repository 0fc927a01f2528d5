package dtask

import (
	"strings"
	"testing"
)

// The log has a line for each of the first foreign tasks, and one for all others.
func TestForeignTasksAreLoggedBounded(t *testing.T) {
	var o once
	lines, last := 0, 0
	for i := range 20_000 {
		for range 2 {
			first, tooMany := o.first(strings.Repeat("x", i))
			if first {
				lines++
			}
			if tooMany {
				last++
			}
		}
	}
	if lines != maxOnce || last != 1 || len(o.seen) > maxOnce+1 {
		t.Errorf("%d lines, %d last ones, %d remembered", lines, last, len(o.seen))
	}
}
