package operate

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/dtaskhq/dtask/internal/spelling"
	"github.com/dtaskhq/dtask/runtime/broker"
)

// CancelIDs cancels the messages with these ids, and returns what that meant for each.
// Unlike a plan it needs nobody who can find them: on RabbitMQ a cancel counts for the
// ids, whether there are such messages or not.
func (o *Operator) CancelIDs(ctx context.Context, ids ...string) ([]broker.Cancellation, error) {
	var all []broker.Cancellation
	err := o.act(ctx, broker.Act{Did: Cancel.Done, On: "id:" + strings.Join(ids, ","), Planned: len(ids)}, func(a *broker.Act) (err error) {
		all, err = cancelAll(ctx, o.broker, ids)
		for _, what := range all {
			if what == broker.CancelNothing {
				a.Skipped++
			} else {
				a.Changed++
			}
		}
		return err
	})
	return all, err
}

func cancelAll(ctx context.Context, b broker.Broker, ids []string) ([]broker.Cancellation, error) {
	c, err := broker.As[broker.Canceller](b)
	if err != nil {
		return nil, err
	}
	return c.Cancel(ctx, ids...)
}

// FindTask returns the full name of the one task that a name means, of those that the
// living processes have: in full, or from any slash of it on. The error wraps
// [ErrNoTask] if there is none.
func (o *Operator) FindTask(ctx context.Context, name string) (string, error) {
	ps, err := o.Workers(ctx)
	if err != nil {
		return "", err
	}
	var found, names []string
	for _, p := range ps {
		for _, t := range p.Tasks {
			names = append(names, t.Name[strings.LastIndexByte(t.Name, '/')+1:])
			if (t.Name == name || strings.HasSuffix(t.Name, "/"+name)) && !slices.Contains(found, t.Name) {
				found = append(found, t.Name)
			}
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		if near := spelling.Nearest(name, names); near != "" {
			return "", fmt.Errorf("%.100q: %w; did you mean %s?", name, ErrNoTask, near)
		}
		return "", fmt.Errorf("%.100q: %w", name, ErrNoTask)
	}
	return "", fmt.Errorf("%d tasks are called %.100q: %s; use a name in full", len(found), name, listed(found))
}

// Pause begins a pause of a queue, a task or a schedule, in the place of another one of
// the same. What is paused need not exist yet.
func (o *Operator) Pause(ctx context.Context, p broker.Pause) error {
	pauser, err := broker.As[broker.Pauser](o.broker)
	if err != nil {
		return err
	}
	return o.actOn(ctx, "paused", string(p.What)+":"+p.Name, func() error { return pauser.Pause(ctx, p) })
}

// Resume ends a pause.
func (o *Operator) Resume(ctx context.Context, what broker.Pausable, name string) error {
	pauser, err := broker.As[broker.Pauser](o.broker)
	if err != nil {
		return err
	}
	return o.actOn(ctx, "resumed", string(what)+":"+name, func() error { return pauser.Resume(ctx, what, name) })
}

// Pauses returns the pauses that are in force, sorted by what and name.
func (o *Operator) Pauses(ctx context.Context) ([]broker.Pause, error) {
	pauser, err := broker.As[broker.Pauser](o.broker)
	if err != nil {
		return nil, err
	}
	return pauser.Pauses(ctx)
}
