package worker

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/dtaskhq/dtask/internal/lock"
	"github.com/dtaskhq/dtask/internal/schema"
	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/dtask"
)

// from says what workers with a lock, those that run now, will do with what this
// program sends. It asks no broker.
func (p *program) from(path string) ([]finding, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, usagef("cannot read the lock of the workers that run now: %w", err)
	}
	old, err := lock.Read(text, time.Now().UTC().Format(time.DateOnly))
	if err != nil {
		return nil, unaskedError{fmt.Errorf("%s: %w", path, err)}
	}
	var findings []finding
	for _, t := range p.boundTasks() {
		f := finding{Task: t.Name, Queue: t.Spec.Queue, Schema: t.Spec.Schema, State: stateSent}
		f.Fate, f.Reason = judgedBy(old, t)
		findings = append(findings, f)
	}
	slices.SortFunc(findings, func(a, b finding) int { return cmp.Compare(a.Task, b.Task) })
	return findings, nil
}

// judgedBy says what a worker with a lock does with messages of a task as this program
// sends them. Which upcasters that worker has the lock does not say.
func judgedBy(old *lock.Lock, t dtask.BoundTask) (broker.Fate, string) {
	known := old.Task(t.Name)
	if known == nil || known.Gone != "" {
		return broker.FateUnknown, "that build has no such task"
	}
	if !slices.ContainsFunc(old.Tasks, func(o *lock.Task) bool { return o.Queue == t.Spec.Queue && o.Gone == "" }) {
		return fateWaits, fmt.Sprintf("no task of that build is on queue %s", t.Spec.Queue)
	}
	v := known.Args.With(t.Spec.Schema)
	switch {
	case v == nil:
		return broker.FateRefused, "its arguments are newer than that build"
	case v.Left == "":
		return broker.FateRuns, ""
	case schema.Worst(schema.Compare(v.Schema, known.Args.Present().Schema)) == schema.Refuses:
		return broker.FateRefused, fmt.Sprintf("its arguments are those of v%d there, which is run only if that build has an upcaster", v.N)
	}
	return broker.FateRuns, ""
}
