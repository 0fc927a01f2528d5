package operate

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/dtaskhq/dtask/internal/schema"
	"github.com/dtaskhq/dtask/internal/secrets"
	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/dtask"
	"github.com/dtaskhq/dtask/runtime/internal/inside"
)

// A Task is what is known of a task, with one version of its arguments.
type Task struct {
	Name string

	// Spec is its policy. Of a task that only other processes have it holds its queue,
	// its retries and the fingerprint of its arguments.
	Spec dtask.Spec

	// Secrets are the fields of its arguments that lead to secret ones, as
	// [broker.ProcessTask] has them: nil if that is not known.
	Secrets []string

	// Processes are those that can run it, as far as they are known.
	Processes []broker.Process

	decodes func(context.Context, *broker.Message) error // nil if its types are not known
	through []dtask.EnqueueMiddleware
}

// Known reports whether this program has the task, and so its types and all of its policy.
func (t Task) Known() bool { return t.decodes != nil }

// Fields returns the fields of the arguments, if this program knows them.
func (t Task) Fields() (*schema.Schema, error) {
	s, err := schema.Parse(t.Spec.Fields)
	if err != nil || s.Fingerprint() != t.Spec.Schema {
		return nil, fmt.Errorf("the fields of %s are not known; run dtaskgen", t.Name)
	}
	return s, nil
}

// JSONSchema returns the JSON Schema (2020-12) of the arguments, if this program knows
// their fields. It is what dtaskgen -emit jsonschema writes.
func (t Task) JSONSchema() ([]byte, error) {
	s, err := t.Fields()
	if err != nil {
		return nil, err
	}
	return s.JSONSchema("arguments of " + t.Name), nil
}

// Own returns what the program that has a table knows of its tasks. What it enqueues
// goes through the middleware.
func Own(table dtask.Table, through ...dtask.EnqueueMiddleware) []Task {
	var tasks []Task
	for _, t := range table {
		tasks = append(tasks, Task{
			Name: t.Name, Spec: t.Spec, Secrets: secrets.Of(t.Spec.Fields, t.Spec.Schema),
			through: through,
			decodes: func(ctx context.Context, m *broker.Message) error { return inside.Decode(ctx, t, m) },
		})
	}
	return tasks
}

// Tasks returns the tasks of this program, and those that the processes in the registry
// can run, with each version of their arguments, sorted by name.
func (o *Operator) Tasks(ctx context.Context) ([]Task, error) {
	processes, err := o.Workers(ctx)
	if err != nil {
		return nil, err
	}
	return join(o.own, processes), nil
}

func join(own []Task, processes []broker.Process) []Task {
	type key struct{ name, schema string }
	tasks := slices.Clone(own)
	at := make(map[key]int)
	for i, t := range tasks {
		at[key{t.Name, t.Spec.Schema}] = i
	}
	for _, p := range processes {
		for _, t := range p.Tasks {
			k := key{t.Name, t.Schema}
			i, known := at[k]
			if !known {
				i = len(tasks)
				at[k] = i
				tasks = append(tasks, Task{Name: t.Name, Spec: dtask.Spec{Schema: t.Schema, Queue: t.Queue, Retries: t.Retries}})
			}
			tasks[i].Processes = append(tasks[i].Processes, p)
		}
	}
	slices.SortStableFunc(tasks, func(a, b Task) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Spec.Schema, b.Spec.Schema))
	})
	return tasks
}

// secretsOf returns the lines that say what is secret of a task with a fingerprint, by
// all who know it. It is empty if nobody does.
func secretsOf(own []Task, processes []broker.Process, name string, counts func(schema string) bool) (all [][]string) {
	for _, t := range own {
		if (t.Name == name || slices.Contains(t.Spec.Was, name)) && counts(t.Spec.Schema) {
			all = append(all, t.Secrets)
		}
	}
	for _, p := range processes {
		for _, t := range p.Tasks {
			if t.Name == name && counts(t.Schema) {
				all = append(all, t.Secrets)
			}
		}
	}
	return all
}
