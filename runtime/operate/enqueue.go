package operate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/dtaskhq/dtask/internal/spelling"
	"github.com/dtaskhq/dtask/runtime/dtask"
)

// ErrArguments: the arguments do not fit the task.
var ErrArguments = dtask.ErrArguments

// ErrNoTask: neither this program nor any process in the registry has the task.
var ErrNoTask = errors.New("no such task")

// An Order is a task to enqueue.
type Order struct {
	Task      string // its name, in full or from any slash of it on
	Schema    string // the fingerprint of its arguments, if there are several
	Arguments []byte // a JSON object
	Queue     string // empty for the one of the task
	In        time.Duration
}

// Enqueue enqueues a task and returns the id of the message. The task is one of this
// program, and then the arguments must fit its types exactly; or one that a process in
// the registry has, which gives the message its fingerprint.
func (o *Operator) Enqueue(ctx context.Context, order Order) (id string, err error) {
	body, err := object(order.Arguments)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrArguments, err)
	}
	t, err := o.find(ctx, order.Task, order.Schema)
	if err != nil {
		return "", err
	}
	var options []dtask.Option
	if order.Queue != "" {
		options = append(options, dtask.Queue(order.Queue))
	}
	if order.In != 0 {
		options = append(options, dtask.In(order.In))
	}
	if t.decodes != nil {
		m := &dtask.Message{Task: t.Name, Queue: t.Spec.Queue, Body: body} // without a fingerprint it must fit exactly
		if err := t.decodes(ctx, m); err != nil {
			return "", fmt.Errorf("%w: %w", ErrArguments, err)
		}
	}
	client := dtask.NewClient(o.broker, dtask.WithLogger(slog.New(slog.DiscardHandler)))
	if len(t.through) > 0 {
		client = client.With(t.through...)
	}
	h, err := dtask.Define[json.RawMessage, dtask.None](t.Name, t.Spec).Delay(dtask.NewContext(ctx, client), body, options...)
	return h.ID, err
}

// find returns the one task with a name, and maybe a fingerprint.
func (o *Operator) find(ctx context.Context, name, version string) (Task, error) {
	tasks := o.own
	i := slices.IndexFunc(tasks, func(t Task) bool { return isCalled(t.Name, name) })
	if i < 0 || version != "" {
		var err error
		if tasks, err = o.Tasks(ctx); err != nil {
			return Task{}, err
		}
	}
	var found []Task
	var names []string
	for _, t := range tasks {
		if isCalled(t.Name, name) && (version == "" || t.Spec.Schema == version) {
			found = append(found, t)
		}
		names = append(names, t.Name[strings.LastIndexByte(t.Name, '/')+1:])
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(found) > 1:
		var which []string
		for _, t := range found {
			which = append(which, t.Name+" of schema "+t.Spec.Schema)
		}
		return Task{}, fmt.Errorf("%.100q may be %s; name one in full, or by its schema", name, strings.Join(which, ", or "))
	}
	hint := "no living worker has it, and its arguments are not known"
	if near := spelling.Nearest(name, names); near != "" && near != name {
		hint = "did you mean " + near + "?"
	}
	return Task{}, fmt.Errorf("%w %.100q: %s", ErrNoTask, name, hint)
}

// isCalled reports whether a full name is meant by a name.
func isCalled(full, name string) bool { return full == name || strings.HasSuffix(full, "/"+name) }
