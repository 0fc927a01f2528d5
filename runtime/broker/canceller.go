package broker

import "context"

// A Canceller is the capability to cancel messages: they do not run any more.
type Canceller interface {
	// Cancel cancels the messages with these ids, on whatever queue they are, and
	// returns what that meant for each. Dead letters stay what they are.
	//
	// A message that waits is deleted, or is skipped when its turn comes. One that a
	// worker holds stays with it, and whoever holds it is told
	// ([ConsumeOptions].Cancelled, [Delivery].Cancelled). From then on every way on which
	// it would run again, as a retry or the death of its worker, ends it as
	// [Cancelled] does. If it ends as [Done] or [Dead] all the same, so be it.
	//
	// To cancel a message again changes nothing. After an error some may have been
	// cancelled.
	Cancel(ctx context.Context, ids ...string) ([]Cancellation, error)
}

// A Cancellation says what a cancel meant for one message.
type Cancellation string

const (
	// CancelDone: the message waited, and is gone.
	CancelDone Cancellation = "cancelled"

	// CancelAsked: a worker holds the message and is told, or the broker cannot know
	// whether the message waits, or is there at all.
	CancelAsked Cancellation = "asked"

	// CancelNothing: no such message waits or runs. It may have been executed, be a dead
	// letter, or never have been enqueued.
	CancelNothing Cancellation = "nothing"
)
