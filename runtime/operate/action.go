package operate

import (
	"context"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// An Action is what can be done to many messages.
type Action struct {
	// Done is the word for it, as in "3 messages retried".
	Done string

	states []broker.State // of the messages to which it can be done
	do     func(context.Context, broker.Editor, []broker.Ref) (int, error)
}

// Retry makes delayed messages due now, and returns dead letters to their queues.
var Retry = Action{
	Done:   "retried",
	states: []broker.State{broker.StateDelayed, broker.StateDead},
	do: func(ctx context.Context, e broker.Editor, rs []broker.Ref) (int, error) {
		return e.Retry(ctx, rs...)
	},
}

// Delete deletes messages that do not run.
var Delete = Action{
	Done:   "deleted",
	states: notRunning,
	do: func(ctx context.Context, e broker.Editor, rs []broker.Ref) (int, error) {
		return e.Delete(ctx, rs...)
	},
}

// Move moves messages that do not run to another queue.
func Move(queue string) Action {
	return Action{
		Done:   "moved to " + queue,
		states: notRunning,
		do: func(ctx context.Context, e broker.Editor, rs []broker.Ref) (int, error) {
			return e.Move(ctx, queue, rs...)
		},
	}
}

var notRunning = []broker.State{broker.StateReady, broker.StateDelayed, broker.StateDead}
