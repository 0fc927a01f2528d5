package dtask

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// The context of a task behaves as those of package context do, whether or not
// Done was called before.
func TestTaskContext(t *testing.T) {
	cause := errors.New("cause")
	for _, asked := range []bool{false, true} {
		for _, c := range []struct {
			name    string
			timeout time.Duration
			happens func(cancelParent context.CancelCauseFunc, task *taskContext)
			err     error
			cause   error
		}{
			{"nothing", time.Hour, func(context.CancelCauseFunc, *taskContext) {}, nil, nil},
			{"no timeout", 0, func(context.CancelCauseFunc, *taskContext) { time.Sleep(time.Hour) }, nil, nil},
			{"timeout", time.Minute, func(context.CancelCauseFunc, *taskContext) { time.Sleep(time.Minute) }, context.DeadlineExceeded, context.DeadlineExceeded},
			{"parent", time.Minute, func(cancel context.CancelCauseFunc, _ *taskContext) { cancel(cause) }, context.Canceled, cause},
			{"cancel", time.Minute, func(_ context.CancelCauseFunc, c *taskContext) { c.cancel(cause) }, context.Canceled, cause},
			{"cancel without timeout", 0, func(_ context.CancelCauseFunc, c *taskContext) { c.cancel(cause); c.end() }, context.Canceled, cause},
			{"end", time.Minute, func(_ context.CancelCauseFunc, c *taskContext) { c.end() }, context.Canceled, context.Canceled},
			{"end without timeout", 0, func(_ context.CancelCauseFunc, c *taskContext) { c.end() }, context.Canceled, context.Canceled},
		} {
			t.Run(c.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					parent, cancel := context.WithCancelCause(context.WithValue(t.Context(), testKey{}, "value"))
					defer cancel(nil)
					task := newTaskContext(parent, nil, Info{Task: "x"}, c.timeout)
					defer task.end()
					if asked {
						task.Done()
					}
					c.happens(cancel, task)
					synctest.Wait()
					if task.Err() != c.err || context.Cause(task) != c.cause {
						t.Errorf("Err %v, Cause %v; want %v, %v", task.Err(), context.Cause(task), c.err, c.cause)
					}
					child, cancelChild := context.WithCancel(task)
					defer cancelChild()
					select {
					case <-task.Done():
						if c.err == nil {
							t.Error("Done is closed")
						}
						if child.Err() != c.err {
							t.Errorf("a context derived from it: Err %v, want %v", child.Err(), c.err)
						}
					default:
						if c.err != nil {
							t.Error("Done is not closed")
						}
					}
					if task.Err() != c.err {
						t.Errorf("Err %v after Done, want %v", task.Err(), c.err)
					}
					if info, ok := InfoFromContext(child); !ok || info.Task != "x" || child.Value(testKey{}) != "value" {
						t.Errorf("values are lost: %v", info)
					}
				})
			})
		}
	}
}

// The earlier deadline counts.
func TestTaskContextDeadline(t *testing.T) {
	parent, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	want, _ := parent.Deadline()
	task := newTaskContext(parent, nil, Info{}, time.Hour)
	defer task.end()
	if d, ok := task.Deadline(); !ok || d != want {
		t.Errorf("deadline %v, want that of the parent, %v", d, want)
	}
	if d, ok := newTaskContext(parent, nil, Info{}, time.Second).Deadline(); !ok || !d.Before(want) {
		t.Errorf("deadline %v, want its own", d)
	}
	if _, ok := newTaskContext(t.Context(), nil, Info{}, 0).Deadline(); ok {
		t.Error("a deadline without a timeout")
	}
}

type testKey struct{}
