package broker

import (
	"context"
	"time"
)

// A State says where a message is on its way.
type State string

// The states.
const (
	StateReady   State = "ready"   // due, waiting for a worker
	StateDelayed State = "delayed" // due later
	StateRunning State = "running" // delivered to a worker, not yet settled
	StateDead    State = "dead"    // a dead letter
)

// States are all states, in the order of a message's life.
var States = [...]State{StateReady, StateDelayed, StateRunning, StateDead}

// A Stored is a message as the broker holds it.
type Stored struct {
	Message *Message
	State   State

	// At is since when it is due, if the message is ready or running; when it will
	// be due, if it is delayed; and when it died, if it is a dead letter. It is the
	// zero time if nobody has noted that.
	At time.Time
}

// Ref returns the name under which an [Editor] finds the message.
func (s Stored) Ref() Ref {
	return Ref{ID: s.Message.ID, Queue: s.Message.Queue, State: s.State, At: s.At}
}

// A Counter is the capability to count messages by what they are.
type Counter interface {
	// Counts counts the selected messages, all at one moment. It returns a count,
	// never 0, for every queue, task, schema and state that some of them have in
	// common, sorted by these. It may read every message that is stored.
	//
	// Its error wraps [ErrUnsupported], and says why, if the broker cannot count
	// some of the states of the selection.
	Counts(ctx context.Context, s Selection) ([]Count, error)
}

// A Count is a number of messages that have these in common.
type Count struct {
	Queue, Task, Schema string
	State               State
	Messages            int

	// Oldest and Latest are the first and the last [Stored.At] of the messages: a
	// message that is ready has waited since Oldest, and the delayed ones are all
	// due at Latest.
	Oldest, Latest time.Time
}

// A Lister is the capability to show messages, whatever their state.
//
// The errors of its methods wrap [ErrUnsupported], and say why, if the broker
// cannot show some of the states that are asked for.
type Lister interface {
	// List returns up to limit of the selected messages, those that follow after.
	// The order is the broker's own, with the oldest first within a queue and a
	// state. A page may be short, or empty, and yet not the last: the broker looks
	// at a bounded number of messages for it. The last one has an empty Next.
	//
	// A message that changes its state between two pages may be on both, or on
	// neither.
	List(ctx context.Context, s Selection, after Cursor, limit int) (Page, error)

	// Stored returns the message with the given id. Its error wraps
	// [ErrNoMessage] if there is none.
	Stored(ctx context.Context, id string) (Stored, error)
}

// A Page is a part of a list.
type Page struct {
	Messages []Stored
	Next     Cursor
}

// A Cursor is a place in a list. The empty one is its beginning. What is in it is
// the business of the broker that made it.
type Cursor string
