package dtask

import (
	"context"
	"time"
)

// A Task is the definition of one task: its name, its policy, and the types
// of its arguments (A) and of its result (R, [None] where the function has
// none). dtaskgen writes one for every annotated function; the Delay wrapper,
// the dispatch table, and the helpers for tests are all thin over it.
//
// A Task is immutable and safe for concurrent use.
type Task[A, R any] struct {
	name string
	spec *Spec
}

// None is the result type of a task whose function returns no value.
type None struct{}

// Spec is the policy of a task, as its directive states it. Every field is
// explicit: dtaskgen writes the defaults out, so that the generated file says
// all there is to know, and the zero value of a field means just that.
type Spec struct {
	// Queue is the queue the task is enqueued on, unless the call says
	// otherwise.
	Queue string

	// Retries is how many attempts may follow the first one.
	Retries int

	// Timeout bounds one attempt: its context ends after it. 0 means no bound.
	Timeout time.Duration

	// Backoff is the pause before the first retry. It doubles with every
	// further one up to [MaxBackoff].
	Backoff time.Duration

	// Priority is the class within the queue.
	Priority PriorityLevel

	// Keep is how long the outcome is kept for [Handle.Wait]. 0 means it is
	// not kept.
	Keep time.Duration

	// Cron is the schedule of a periodic task in five fields, a macro such as
	// @daily, or empty.
	Cron string

	// SkipMissed leaves out the ticks of Cron that came while no worker ran.
	// Else they are made up for by one late run.
	SkipMissed bool

	// Schema is the fingerprint of the argument type: a hash of the names and
	// types of its fields, recursively. A message with another fingerprint is
	// run only if its body decodes exactly.
	Schema string
}

// Define returns the task with the given name and policy. It is called by
// generated code.
func Define[A, R any](name string, spec Spec) Task[A, R] {
	return Task[A, R]{name: name, spec: &spec}
}

// Name returns the name of the task, as its messages carry it.
func (t Task[A, R]) Name() string { return t.name }

// Spec returns the policy of the task.
func (t Task[A, R]) Spec() Spec { return *t.spec }

// Delay enqueues the task with the given arguments on the client of ctx
// ([NewContext]) or else the default one ([SetDefault]).
//
// When it returns nil the message is durable: the task will run at least once,
// or be found among the dead letters. When it returns an error the message was
// not enqueued, unless the error is [ErrUnknownOutcome].
func (t Task[A, R]) Delay(ctx context.Context, args A, opts ...Option) (Handle[R], error) {
	c, err := clientFor(ctx)
	if err != nil {
		return Handle[R]{}, &EnqueueError{Task: t.name, Err: err}
	}
	m, err := t.message(c.now(), opts)
	if err == nil {
		err = m.carry(&args)
	}
	if err != nil {
		return Handle[R]{}, &EnqueueError{Task: t.name, Err: err}
	}
	if err := c.send(ctx, m); err != nil && !m.ignores(err) {
		return t.Handle(m.ID), &EnqueueError{Task: t.name, ID: m.ID, Err: err}
	}
	return t.Handle(m.ID), nil
}

// DelayMany enqueues the task once for every element of args, all of them in
// as few round trips as the broker allows. The handles correspond to args.
//
// If some could not be enqueued the error is a [*BatchError], which says which
// ones and why; the others are durable. Any other error is one of the call, for
// want of a client or by a wrong option, and nothing was enqueued.
func DelayMany[A, R any](ctx context.Context, t Task[A, R], args []A, opts ...Option) ([]Handle[R], error) {
	c, err := clientFor(ctx)
	if err != nil {
		return nil, &EnqueueError{Task: t.name, Err: err}
	}
	handles := make([]Handle[R], len(args))
	errs := make([]error, len(args))
	msgs := make([]*Message, 0, len(args))
	index := make([]int, 0, len(args)) // of each message in args
	for i := range args {
		m, err := t.message(c.now(), opts)
		if err != nil {
			return nil, &EnqueueError{Task: t.name, Err: err}
		}
		if err := m.carry(&args[i]); err != nil {
			errs[i] = &EnqueueError{Task: t.name, Err: err}
			continue
		}
		handles[i] = t.Handle(m.ID)
		msgs, index = append(msgs, m), append(index, i)
	}
	for j, err := range c.sendMany(ctx, msgs) {
		if err != nil && !msgs[j].ignores(err) {
			errs[index[j]] = &EnqueueError{Task: t.name, ID: msgs[j].ID, Err: err}
		}
	}
	return handles, batchError(errs)
}

// message returns a message that runs t, without its arguments.
func (t Task[A, R]) message(now time.Time, opts []Option) (*Message, error) {
	m := &Message{
		ID:         newID(now),
		Task:       t.name,
		Queue:      t.spec.Queue,
		Schema:     t.spec.Schema,
		Priority:   t.spec.Priority,
		Keep:       t.spec.Keep,
		Attempt:    1,
		Attempts:   t.spec.Retries + 1,
		EnqueuedAt: now,
	}
	for _, o := range opts {
		o(m)
	}
	return m, m.Validate()
}

// Bind returns the entry of a dispatch table that runs t with fn. It is called
// by generated code.
func (t Task[A, R]) Bind(fn func(context.Context, A) (R, error)) Handler {
	return Handler{
		Name: t.name,
		Spec: *t.spec,
		run: func(ctx context.Context, m *Message) error {
			var args A
			if err := decode(m, t.spec.Schema, &args); err != nil {
				return err
			}
			result, err := fn(ctx, args)
			if err == nil && m.Keep > 0 {
				m.Result, err = encodeResult(&result)
			}
			return err
		},
	}
}
