package dtask

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// A Table is a dispatch table: the tasks that a worker can run, each with its
// function. For every package with tasks dtaskgen writes a function Tasks that
// returns the table. Its parameters are the values whose methods are tasks.
type Table []BoundTask

// A BoundTask is a task together with the function that runs it: an entry of a
// [Table].
type BoundTask struct {
	// Name is the name of the task.
	Name string

	// Spec is its policy.
	Spec Spec

	flaw   string // why it cannot be run; empty if it can
	run    func(context.Context, *Message) (result []byte, err error)
	decode func(context.Context, *Message) error
}

// Run runs the task once, at once, and in the calling goroutine. There is no queue
// and no retry. It is meant for command lines.
//
// The arguments are a JSON object. The result is JSON too, and {} if the task has
// none. If the task delays other tasks, it enqueues them on the client of ctx. If
// the object does not fit the arguments exactly, the error wraps [ErrArguments].
func (h BoundTask) Run(ctx context.Context, args []byte) (result []byte, err error) {
	if h.flaw != "" {
		return nil, fmt.Errorf("task %q: %s", h.Name, h.flaw)
	}
	m := newMessage(h.Name, &h.Spec, time.Now())
	m.Body, m.Schema, m.Attempts = args, "", 1
	m.Keep = 1 // more than 0, for the result to be encoded
	result, err = run(ctx, new(execution), FromContext(ctx), &h, &m)
	if isForeign(err) || errors.As(err, new(*undecodableError)) {
		err = fmt.Errorf("%w: %w", ErrArguments, err)
	}
	return result, err
}

// Queues returns the queues of the table's tasks, sorted.
func (t Table) Queues() []string {
	var queues []string
	for _, h := range t {
		queues = append(queues, h.Spec.Queue)
	}
	slices.Sort(queues)
	return slices.Compact(queues)
}

// dispatch is the merged form of several tables.
type dispatch map[string]*BoundTask

// merge returns the tables by task name. A name bound twice is an error: one
// of the two would silently never run.
func merge(tables []Table) (dispatch, error) {
	d := make(dispatch)
	for _, t := range tables {
		for _, h := range t {
			if h.flaw != "" {
				return nil, fmt.Errorf("task %q: %s", h.Name, h.flaw)
			}
			if h.run == nil {
				return nil, fmt.Errorf("task %q is not bound to a function; build the table with the generated Tasks", h.Name)
			}
			if d[h.Name] != nil {
				return nil, fmt.Errorf("task %q is bound twice; pass each Tasks(…) once, or pin one name with //dtask:task name=", h.Name)
			}
			d[h.Name] = &h
		}
	}
	for _, t := range tables {
		for _, h := range t {
			for _, was := range h.Spec.Was {
				if other := d[was]; other != nil && other.Name != h.Name {
					return nil, fmt.Errorf("task %q was %q, as its directive says, but that is a task, too, or was another one; remove was=%s from one", h.Name, was, was)
				}
				d[was] = d[h.Name]
			}
		}
	}
	return d, nil
}
