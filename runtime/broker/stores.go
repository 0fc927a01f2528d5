package broker

import (
	"context"
	"time"
)

// A ResultStore is a broker that can keep the outcomes of messages. It keeps those
// of messages whose Keep is set.
type ResultStore interface {
	// Result waits for the outcome of a message, and returns it: the Result of
	// its settlement as Done, its newest failure if it is a dead letter, or that it
	// was cancelled. Its error wraps [ErrNoResult] if there is no outcome and will be none.
	Result(ctx context.Context, id string) (Result, error)
}

// A Result is the outcome of a message.
type Result struct {
	Task      string
	Value     []byte   // JSON
	Failure   *Failure // nil if the task is done
	Cancelled bool     // then there is neither
}

// A TickStore is a broker that keeps the ticks of schedules: the times at which
// periodic tasks were enqueued. So each tick happens once, though many workers look
// at the clock.
type TickStore interface {
	// LastTick returns the newest tick of a schedule, or the zero time if there is
	// none. It returns [ErrNotScheduler] if only another process may tick at the
	// moment.
	LastTick(ctx context.Context, schedule string) (time.Time, error)

	// Tick records a tick of the schedule at the time to, and enqueues m with it,
	// unless m is nil. It does so only if the newest tick is still from, and
	// reports whether it did. It never does one without the other. After an error
	// it may have happened: ask LastTick.
	//
	// A time to before from takes back a tick that a wrong clock made: then to is
	// the newest tick.
	Tick(ctx context.Context, schedule string, from, to time.Time, m *Message) (bool, error)
}
