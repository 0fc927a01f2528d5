//go:build unix

package chaos

import (
	"fmt"
	"time"
)

// An account is the result of a trial.
type account struct {
	name string

	attempted  int // to enqueue
	confirmed  int // Delay returned nil
	failed     int // Delay returned an error that says: not enqueued
	executed   int // at least once
	dead       int // found among the dead letters
	lost       int // confirmed, but neither executed nor dead
	duplicated int // executions beyond the first
	recovered  int // executed although Delay could not tell the outcome
	unexpected int // executed although never enqueued, or Delay said it was not
	early      int // executed before they were due

	worst         time.Duration // enqueue latency of the confirmed
	before, after int           // goroutines of all processes that ended in good order
}

// account compares what was confirmed with what was executed or is in dead,
// the ids of the dead letters.
func (r *record) account(name string, dead map[string]bool) account {
	a := account{name: name, attempted: len(r.outcome), dead: len(dead), worst: r.worst, early: r.early}
	for id, outcome := range r.outcome {
		switch {
		case outcome == confirmed:
			a.confirmed++
			if len(r.runs[id]) == 0 && !dead[id] {
				a.lost++
			}
		case outcome == failed:
			a.failed++
			if len(r.runs[id]) > 0 {
				a.unexpected++
			}
		case len(r.runs[id]) > 0: // unknown, or the producer was killed
			a.recovered++
		}
	}
	for id, by := range r.runs {
		a.executed++
		a.duplicated += len(by) - 1
		if _, known := r.outcome[id]; !known {
			a.unexpected++
		}
	}
	return a
}

// String returns the line of the trial.
func (a account) String() string {
	duplicated := fmt.Sprint(a.duplicated)
	if a.duplicated > 0 {
		duplicated += fmt.Sprintf(" (%.2f %%)", 100*float64(a.duplicated)/float64(a.executed))
	}
	line := fmt.Sprintf("%s: attempted %d, confirmed %d, executed %d, lost %d, duplicated %s, recovered %d, unexpected %d",
		a.name, a.attempted, a.confirmed, a.executed, a.lost, duplicated, a.recovered, a.unexpected)
	if a.failed > 0 {
		line += fmt.Sprintf(", refused %d", a.failed)
	}
	if a.dead > 0 {
		line += fmt.Sprintf(", dead letters %d", a.dead)
	}
	return line + fmt.Sprintf(", worst enqueue %v, goroutines %d → %d", a.worst.Round(time.Millisecond), a.before, a.after)
}
