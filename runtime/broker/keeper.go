package broker

import (
	"context"
	"time"
)

// A Keeper is a broker that can say what it keeps beside messages.
type Keeper interface {
	// Schedules returns the schedules that have ticked, sorted by name. They stay when
	// nobody ticks any more.
	Schedules(ctx context.Context) ([]Ticked, error)

	// KeptResults counts the values that are kept by task and by the fingerprint of
	// their type (docs/wire.md), sorted by these. It may read all of them.
	KeptResults(ctx context.Context) ([]ResultCount, error)
}

// A Ticked is a schedule with its newest tick.
type Ticked struct {
	Schedule string
	Last     time.Time
}

// A ResultCount is a number of results that have these in common.
type ResultCount struct {
	Task, Schema string
	Results      int
}
