package operate

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// A Deploy says which of the living builds runs what there is.
type Deploy struct {
	// Builds are those of the living processes, the one that was started last first.
	Builds []Build

	// Rows are the tasks with each version of their arguments that waits, or that a build
	// has as its present one: first what nobody runs, then by the number of messages.
	Rows []DeployRow

	// Unknown says why messages of other kinds may wait, too. It is nil if none do.
	Unknown error
}

// A Build is the processes of one build.
type Build struct {
	broker.Build
	Processes int
	Quiet     int       // of them: they fetch no more
	First     time.Time // when the first of those that live was started
}

// A DeployRow is a task with one version of its arguments.
type DeployRow struct {
	Task, Schema string
	Queues       []string // on which such messages are, or would be enqueued, sorted

	// Waiting is how many wait, are delayed or run. It is -1 if that is not known: there
	// may be some. Oldest is since when the first of them has been due, if it is known.
	Waiting int
	Oldest  time.Time
	Dead    int // dead letters

	// Verdicts are those of the builds, in their order, and Takers how many processes run
	// such messages, fetch, and consume one of the queues.
	Verdicts []Verdict
	Takers   int
}

// A Verdict is what a build does with a row. Its fate is empty if the build does not have
// the task. If its processes differ it is the best.
type Verdict struct {
	Fate   broker.Fate
	Reason string // why they are not run
}

// Nobody reports whether there are such messages, or may be, and no process that takes
// them.
func (r *DeployRow) Nobody() bool { return r.Waiting != 0 && r.Takers == 0 }

// Deploy finds out which of the living builds runs what there is.
func (o *Operator) Deploy(ctx context.Context) (Deploy, error) {
	processes, err := o.Workers(ctx)
	if err != nil {
		return Deploy{}, err
	}
	waiting, err := o.Waiting(ctx)
	if err != nil {
		return Deploy{}, err
	}
	return deploy(processes, waiting), nil
}

func deploy(processes []broker.Process, waiting Waiting) Deploy {
	d := Deploy{Builds: builds(processes), Unknown: waiting.Unknown}
	rows := make(rowsOf)
	for _, c := range waiting.Counts {
		r := rows.of(c.Task, c.Schema, c.Queue)
		if c.State == broker.StateDead {
			r.Dead += c.Messages
			continue
		}
		r.Waiting += c.Messages
		if c.State == broker.StateReady && (r.Oldest.IsZero() || c.Oldest.Before(r.Oldest)) {
			r.Oldest = c.Oldest
		}
	}
	for _, k := range waiting.Kinds {
		rows.of(k.Task, k.Schema, k.Queue).Waiting = -1
	}
	for _, p := range processes {
		for _, t := range p.Tasks {
			rows.of(t.Name, t.Schema, t.Queue)
		}
	}
	for _, r := range rows {
		r.judge(processes, d.Builds)
		d.Rows = append(d.Rows, *r)
	}
	slices.SortFunc(d.Rows, func(a, b DeployRow) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(b.Waiting, a.Waiting), cmp.Compare(a.Task, b.Task), cmp.Compare(a.Schema, b.Schema))
	})
	return d
}

// rank is how late a row comes.
func rank(r DeployRow) int {
	switch {
	case r.Nobody():
		return 0
	case r.Waiting != 0:
		return 1
	}
	return 2
}

type rowKey struct{ task, schema string }

type rowsOf map[rowKey]*DeployRow

// of returns the row of a task and a schema, which has messages of a queue, too.
func (rows rowsOf) of(task, schema, queue string) *DeployRow {
	k := rowKey{task, schema}
	if rows[k] == nil {
		rows[k] = &DeployRow{Task: task, Schema: schema}
	}
	r := rows[k]
	if i, found := slices.BinarySearch(r.Queues, queue); !found && queue != "" {
		r.Queues = slices.Insert(r.Queues, i, queue)
	}
	return r
}

// builds groups processes by their builds.
func builds(processes []broker.Process) (all []Build) {
	for _, p := range processes {
		i := slices.IndexFunc(all, func(b Build) bool { return b.Build == p.Build })
		if i < 0 {
			i = len(all)
			all = append(all, Build{Build: p.Build, First: p.Started})
		}
		b := &all[i]
		b.Processes++
		if p.State != broker.ProcessWorking {
			b.Quiet++
		}
		if p.Started.Before(b.First) {
			b.First = p.Started
		}
	}
	slices.SortStableFunc(all, func(a, b Build) int {
		return cmp.Or(b.First.Compare(a.First), strings.Compare(a.Version, b.Version))
	})
	return all
}

// judge finds out who runs the messages of a row.
func (r *DeployRow) judge(processes []broker.Process, builds []Build) {
	r.Verdicts = make([]Verdict, len(builds))
	for _, p := range processes {
		for _, t := range p.Tasks {
			if t.Name != r.Task && !slices.Contains(t.Was, r.Task) {
				continue
			}
			v := verdict(t, r.Schema)
			i := slices.IndexFunc(builds, func(b Build) bool { return b.Build == p.Build })
			if better(v.Fate, r.Verdicts[i].Fate) {
				r.Verdicts[i] = v
			}
			if v.Runs() && p.State == broker.ProcessWorking && slices.ContainsFunc(r.Queues, func(q string) bool { return consumes(p, q) }) {
				r.Takers++
			}
		}
	}
}

// Runs reports whether messages are run, maybe after their arguments are converted.
func (v Verdict) Runs() bool { return v.Fate == broker.FateRuns || v.Fate == broker.FateConverted }

// verdict says what a process does with messages of a schema. One without a fingerprint it
// runs if it fits.
func verdict(t broker.ProcessTask, schema string) Verdict {
	if schema == "" || schema == t.Schema {
		return Verdict{Fate: broker.FateRuns}
	}
	for _, v := range t.Earlier {
		if v.Schema == schema {
			return Verdict{v.Fate, v.Reason}
		}
	}
	return Verdict{broker.FateUnknown, "the build does not know this version of the arguments"}
}

// better reports whether a fate is better for messages than another one.
func better(a, b broker.Fate) bool {
	order := []broker.Fate{"", broker.FateUnknown, broker.FateRefused, broker.FateConverted, broker.FateRuns}
	return slices.Index(order, a) > slices.Index(order, b)
}
