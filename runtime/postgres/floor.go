package postgres

import (
	"time"

	"github.com/jackc/pgx/v5/pgtype"
)

// A floor is where the claims for a consumer begin. The index of what waits begins with
// entries of messages that are gone, until the server removes them, and it cannot for as
// long as anybody has a transaction open that is older: a claim that begins there reads all
// of them again. What comes to wait below the floor, because a transaction committed late
// or another process gave something back, is found by a look at everything.
type floor struct {
	at    [quarantine]time.Time // of each class, by the clock of the database; zero: at the beginning
	below bool                  // something may wait below
	full  bool                  // this turn looks at everything
	next  time.Time             // when that may be done again
}

const (
	// floorMargin is how far the floor is below what was seen: those who enqueue at the
	// same time commit in any order.
	floorMargin = 100 * time.Millisecond

	// A look at everything takes at most one part in fullShare of the time, but is not
	// put off for longer than maxFullPause.
	fullShare    = 10
	maxFullPause = 10 * time.Second
)

// begin decides whether this turn looks at everything.
func (f *floor) begin(now time.Time) { f.full = f.below && !now.Before(f.next) }

// end notes that a turn has succeeded.
func (f *floor) end(began, now time.Time) {
	if f.full {
		f.below, f.full = false, false
		f.next = began.Add(min(fullShare*now.Sub(began), maxFullPause))
	}
}

// hint notes when classes may have messages.
func (f *floor) hint(h hint) {
	for class := range f.at {
		f.below = f.below || h[class].Before(f.at[class])
	}
}

// saw notes that the oldest message of a class that waits is due at a time, or that none
// is due at that time.
func (f *floor) saw(class int, due time.Time) {
	if class < quarantine {
		f.at[class] = due.Add(-floorMargin)
	}
}

// claimed notes that of a class everything was claimed up to due.
func (f *floor) claimed(class int, due time.Time) {
	if class < quarantine && due.Add(-floorMargin).After(f.at[class]) {
		f.saw(class, due)
	}
}

// args are the floors of all classes, for a look.
func (f *floor) args() (args []any) {
	for _, at := range f.at {
		if f.full {
			at = time.Time{}
		}
		args = append(args, from(at))
	}
	return args
}

// from is a floor as an argument.
func from(at time.Time) pgtype.Timestamptz {
	if at.IsZero() {
		return pgtype.Timestamptz{InfinityModifier: pgtype.NegativeInfinity, Valid: true}
	}
	return pgtype.Timestamptz{Time: at, Valid: true}
}
