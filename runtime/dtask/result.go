package dtask

import (
	"context"
	"fmt"
	"slices"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// A Handle stands for a delayed task. Delay returns one; in another process,
// [Task.Handle] makes one from the id.
type Handle[R any] struct {
	// ID identifies the task from Delay to its outcome, over every retry.
	ID string

	spec *Spec
	task string
}

// Handle returns the handle of a task that was delayed elsewhere.
func (t Task[A, R]) Handle(id string) Handle[R] { return Handle[R]{ID: id, task: t.name, spec: t.spec} }

// Wait waits until the task is done or dead, or ctx ends. It returns the value that
// the function returned. If the task is dead, the error is a [*TaskError],
// and [ErrCancelled] if it was cancelled. Like Delay, Wait uses the client of ctx.
//
// The task has to ask for its outcome to be kept: with keep=1h in its directive, or
// with [Keep] in the call. Otherwise, and after that time, and for an id that was
// never enqueued, Wait returns [ErrNoResult] at once.
func (h Handle[R]) Wait(ctx context.Context) (R, error) {
	var value R
	c, err := clientFor(ctx)
	if err != nil {
		return value, err
	}
	store, err := broker.As[broker.ResultStore](c.broker)
	if err != nil {
		return value, fmt.Errorf("dtask: wait for %s: %w", h.ID, err)
	}
	r, err := store.Result(ctx, h.ID)
	switch {
	case err != nil:
		return value, fmt.Errorf("dtask: wait for %s: %w", h.ID, err)
	case h.task != "" && r.Task != h.task && !slices.Contains(h.spec.Was, r.Task):
		return value, fmt.Errorf("dtask: wait for %s: it is a task %s, not %s", h.ID, r.Task, h.task)
	case r.Cancelled:
		return value, fmt.Errorf("dtask: wait for %s: %w", h.ID, ErrCancelled)
	case r.Failure != nil:
		return value, &TaskError{Task: r.Task, ID: h.ID, Failure: *r.Failure}
	}
	if err := decodeResult(ctx, h.spec, r.Value, &value); err != nil {
		return value, fmt.Errorf("dtask: result of %s (%s): %w", r.Task, h.ID, err)
	}
	return value, nil
}

// A TaskError is the error of a task whose message was moved to the dead letters.
type TaskError struct {
	Task    string
	ID      string
	Failure Failure // the last one: its kind, text and attempt
}

// Error implements error.
func (e *TaskError) Error() string {
	return fmt.Sprintf("task %s (%s) failed at attempt %d: %s", shortName(e.Task), e.ID, e.Failure.Attempt, e.Failure.Error)
}
