package worker

import (
	"time"
)

// due returns the tick to enqueue at now: the first one after last that is not
// missed, or else the newest of the missed ones, which stands for all of them. It
// returns the zero time if there is none after last.
func (sch schedule) due(last, now time.Time) time.Time {
	for reach := lateAfter; ; reach *= 2 {
		from := now.Add(-reach)
		if from.Before(last) {
			from = last
		}
		if tick := sch.when.Next(from); !tick.After(now) {
			if reach == lateAfter {
				return tick
			}
			return sch.newest(tick, now)
		}
		if from.Equal(last) {
			return time.Time{}
		}
	}
}

// newest returns the newest tick up to now, given an earlier one.
func (sch schedule) newest(tick, now time.Time) time.Time {
	for {
		next := sch.when.Next(tick)
		if next.After(now) {
			return tick
		}
		tick = next
	}
}
