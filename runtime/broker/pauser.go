package broker

import (
	"cmp"
	"context"
	"fmt"
	"time"
)

// A Pauser is the capability to pause queues, tasks and schedules. A pause holds for
// all processes, also for those that start later, until it is ended or its time is
// over, by the clock of each process. What runs goes on.
//
// The broker itself obeys the pauses of queues and tasks. It delivers nothing of them:
// at no cost of an attempt. What was fetched when the pause began may be delivered
// still. Who watches the clock for a schedule asks for its pauses.
type Pauser interface {
	// Pause begins a pause, in the place of another one of the same. What is paused
	// need not exist yet; an impossible name is an error.
	Pause(ctx context.Context, p Pause) error

	// Resume ends a pause. There need not be one.
	Resume(ctx context.Context, what Pausable, name string) error

	// Pauses returns the pauses that are in force, sorted by what and name.
	Pauses(ctx context.Context) ([]Pause, error)
}

// A Pausable is a kind of thing that can be paused.
type Pausable string

// What can be paused.
const (
	PauseQueue    Pausable = "queue"
	PauseTask     Pausable = "task"     // by its full name, on all queues
	PauseSchedule Pausable = "schedule" // its ticks are left out
)

// A Pause is a time in which something rests.
type Pause struct {
	What  Pausable  `json:"what"`
	Name  string    `json:"name"`
	Since time.Time `json:"since"`          // the zero time stands for now
	Until time.Time `json:"until,omitzero"` // the zero time means until Resume
}

// InForce reports whether the pause goes on at a time.
func (p Pause) InForce(now time.Time) bool { return p.Until.IsZero() || now.Before(p.Until) }

// Compare orders pauses by what and name.
func (p Pause) Compare(q Pause) int {
	return cmp.Or(cmp.Compare(p.What, q.What), cmp.Compare(p.Name, q.Name))
}

// Validate reports what is wrong with a pause, or nil.
func (p Pause) Validate() error {
	switch p.What {
	case PauseQueue:
		return ValidateQueue(p.Name)
	case PauseTask, PauseSchedule:
		return validateTask(p.Name)
	}
	return fmt.Errorf("%.20q cannot be paused; a queue, a task or a schedule can", p.What)
}

const (
	leastPutOff = time.Second
	mostPutOff  = 5 * time.Minute
)

// PutOff returns for how long a broker that cannot leave out the messages of a paused
// task puts one back: as long as the pause has lasted, so that each comes a few times
// only, but for 1 second at least and 5 minutes at most, and not beyond the end.
func (p Pause) PutOff(now time.Time) time.Duration {
	d := min(max(now.Sub(p.Since), leastPutOff), mostPutOff)
	if left := p.Until.Sub(now); !p.Until.IsZero() && left < d {
		d = max(left, 0)
	}
	return d
}
