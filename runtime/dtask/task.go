package dtask

import (
	"context"
)

// A Task is the definition of a task: its name, its policy, and the types of its
// arguments (A) and of its result (R). R is [None] if the function returns no
// value. dtaskgen writes a Task for every function with a directive.
//
// A Task is immutable and safe for concurrent use.
type Task[A, R any] struct {
	name string
	spec *Spec
}

// None is the result type of a task whose function returns no value.
type None struct{}

// Define returns the task with this name and policy. Generated code calls it.
func Define[A, R any](name string, spec Spec) Task[A, R] {
	return Task[A, R]{name: name, spec: &spec}
}

// Name returns the name of the task, as its messages carry it.
func (t Task[A, R]) Name() string { return t.name }

// Spec returns the policy of the task.
func (t Task[A, R]) Spec() Spec { return *t.spec }

// Bind returns the entry for a table that runs t with fn. Generated code calls it.
func (t Task[A, R]) Bind(fn func(context.Context, A) (R, error)) BoundTask {
	return t.bind(func(ctx context.Context, m *Message, args A) ([]byte, error) {
		r, err := fn(ctx, args)
		return resultOf(m, &r, err)
	})
}

// bind returns the entry for a table that runs t with call, which returns the
// encoded result.
func (t Task[A, R]) bind(call func(context.Context, *Message, A) ([]byte, error)) BoundTask {
	return BoundTask{
		Name: t.name,
		Spec: *t.spec,
		run: func(ctx context.Context, m *Message) (result []byte, err error) {
			var args A
			if err := decode(ctx, m, t.spec, &args); err != nil {
				return nil, err
			}
			return call(ctx, m, args)
		},
		decode: func(ctx context.Context, m *Message) error { return decode(ctx, m, t.spec, new(A)) },
	}
}

// resultOf encodes the result that a function has returned, if m wants it.
func resultOf[R any](m *Message, r *R, err error) ([]byte, error) {
	if err != nil || m.Keep <= 0 {
		return nil, err
	}
	return encodeResult(r)
}
