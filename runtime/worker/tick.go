package worker

import (
	"context"
	"runtime/debug"
	"time"

	"github.com/dtaskhq/dtask/runtime/dtask"
)

// tick enqueues a task for one of its ticks. Middleware that panics, as one may
// that looks for what only a request has in its context, makes an error of it: no
// other task of this process is to suffer.
func (s *scheduler) tick(ctx context.Context, task dtask.BoundTask, from, to time.Time) (id string, ticked bool, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &dtask.PanicError{Value: v, Stack: string(debug.Stack())}
		}
	}()
	return s.client.Tick(ctx, task, from, to)
}

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
