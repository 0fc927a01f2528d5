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
	do     func(context.Context, broker.Broker, []broker.Ref) (int, error)
}

// Retry makes delayed messages due now, and returns dead letters to their queues.
var Retry = Action{
	Done:   "retried",
	states: []broker.State{broker.StateDelayed, broker.StateDead},
	do: edited(func(ctx context.Context, e broker.Editor, rs []broker.Ref) (int, error) {
		return e.Retry(ctx, rs...)
	}),
}

// Delete deletes messages that do not run.
var Delete = Action{
	Done:   "deleted",
	states: notRunning,
	do: edited(func(ctx context.Context, e broker.Editor, rs []broker.Ref) (int, error) {
		return e.Delete(ctx, rs...)
	}),
}

// Move moves messages that do not run to another queue.
func Move(queue string) Action {
	return Action{
		Done:   "moved to " + queue,
		states: notRunning,
		do: edited(func(ctx context.Context, e broker.Editor, rs []broker.Ref) (int, error) {
			return e.Move(ctx, queue, rs...)
		}),
	}
}

// Cancel cancels messages that wait or run: those that wait are gone, and the contexts of
// the others end.
var Cancel = Action{
	Done:   "cancelled",
	states: []broker.State{broker.StateReady, broker.StateDelayed, broker.StateRunning},
	do: func(ctx context.Context, b broker.Broker, rs []broker.Ref) (n int, err error) {
		ids := make([]string, len(rs))
		for i, r := range rs {
			ids[i] = r.ID
		}
		all, err := cancelAll(ctx, b, ids)
		for _, what := range all {
			if what != broker.CancelNothing {
				n++
			}
		}
		return n, err
	},
}

// edited returns the part of an action that an editor does.
func edited(do func(context.Context, broker.Editor, []broker.Ref) (int, error)) func(context.Context, broker.Broker, []broker.Ref) (int, error) {
	return func(ctx context.Context, b broker.Broker, rs []broker.Ref) (int, error) {
		e, err := broker.As[broker.Editor](b)
		if err != nil {
			return 0, err
		}
		return do(ctx, e, rs)
	}
}

var notRunning = []broker.State{broker.StateReady, broker.StateDelayed, broker.StateDead}
