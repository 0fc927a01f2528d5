package broker

import (
	"context"
	"time"
)

// A ResultStore is the capability to keep the outcomes of messages whose Keep
// is set.
type ResultStore interface {
	// Result waits for the outcome of a message, and returns it: the Result of
	// its settlement as Done, or its newest failure if it is a dead letter. Its
	// error wraps [ErrNoResult] if there is no outcome and will be none.
	Result(ctx context.Context, id string) (Result, error)
}

// A Result is the outcome of a message.
type Result struct {
	Task    string
	Value   []byte   // JSON
	Failure *Failure // nil if the task is done
}

// A TickStore is the capability to keep the ticks of schedules: when each one
// last enqueued its task. It is what makes every tick of a periodic task happen
// once, however many workers watch the clock.
type TickStore interface {
	// LastTick returns the newest tick of a schedule, or the zero time if it
	// never ticked. Its error is [ErrNotScheduler] while another process is the
	// only one that may tick.
	LastTick(ctx context.Context, schedule string) (time.Time, error)

	// Tick records that a schedule ticked at to, and enqueues m unless that is
	// nil. It does both or neither, and only if the newest tick is still from. It
	// reports whether it did. After an error it may have happened: ask LastTick.
	//
	// A tick at a time before from resets a newest tick that a wrong clock made:
	// from then on, to is the newest one.
	Tick(ctx context.Context, schedule string, from, to time.Time, m *Message) (bool, error)
}
