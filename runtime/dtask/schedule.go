package dtask

import (
	"context"
	"errors"
	"time"
)

// A Scheduler keeps the ticks of schedules: when each one last enqueued its
// task. It is what makes every tick of a periodic task happen once, however
// many workers watch the clock.
type Scheduler interface {
	// LastTick returns the newest tick of a schedule, or the zero time if it
	// never ticked. Its error is [ErrNotScheduler] while another process is the
	// only one that may tick.
	LastTick(ctx context.Context, schedule string) (time.Time, error)

	// Tick records that a schedule ticked at to, and enqueues m (nil: only
	// records), both or neither, if its newest tick is still from. It reports
	// whether it did. After an error it may or may not have: LastTick tells.
	Tick(ctx context.Context, schedule string, from, to time.Time, m *Message) (bool, error)
}

// ErrNotScheduler: another process watches the clock for this schedule.
var ErrNotScheduler = errors.New("another process is the scheduler")
