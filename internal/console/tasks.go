package console

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/dtaskhq/dtask/runtime/operate"
)

func (p *Program) tasks() *cobra.Command {
	c := &cobra.Command{
		Use:   "tasks",
		Short: "List the tasks that living workers can run",
		Long: `List the tasks that living workers can run, each version of their arguments by itself:
its fingerprint, and how many workers of which builds have it.`,
		Example: "  dtask tasks\n  dtask tasks -o json",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return p.with(c.Context(), func(o *operate.Operator) error {
				tasks, err := o.Tasks(c.Context())
				return writeAll(p, tasks, err, taskColumns, func(t operate.Task) any { return taskRecordOf(t) })
			})
		},
	}
	if p.Own != nil {
		c.Short = "List the tasks of this program"
		c.Long = "List the tasks of this program with their options and the fingerprint of their\narguments. In JSON they have the fields of their arguments, too."
		c.RunE = func(*cobra.Command, []string) error {
			own := slices.SortedFunc(slices.Values(p.Own), func(a, b operate.Task) int { return cmp.Compare(a.Name, b.Name) })
			if err := p.checkFormat(); err != nil {
				return err
			}
			return writeAll(p, own, nil, p.ownColumns(), func(t operate.Task) any { return ownRecordOf(t) })
		}
	}
	return c
}

// shortNames returns the names of tasks as people type them: from the last slash on, or
// in full where two would be called the same.
func shortNames(tasks []operate.Task) map[string]string {
	full := make(map[string]string) // by the short name; empty if there are several
	for _, t := range tasks {
		s := shortTask(t.Name)
		if other, known := full[s]; known && other != t.Name {
			full[s] = ""
		} else {
			full[s] = t.Name
		}
	}
	names := make(map[string]string)
	for _, t := range tasks {
		if names[t.Name] = t.Name; full[shortTask(t.Name)] == t.Name {
			names[t.Name] = shortTask(t.Name)
		}
	}
	return names
}

// completeTask completes the name of a task.
func (p *Program) completeTask(c *cobra.Command, args []string, _ string) (names []cobra.Completion, _ cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return p.taskNames(c.Context(), ""), cobra.ShellCompDirectiveNoFileComp
}

// taskNames returns the names of all tasks behind a prefix, or none if that takes too
// long.
func (p *Program) taskNames(ctx context.Context, prefix string) (names []string) {
	tasks := p.Own
	if tasks == nil {
		ctx, cancel := context.WithTimeout(cmp.Or(ctx, context.Background()), completeTimeout)
		defer cancel()
		p.with(ctx, func(o *operate.Operator) (err error) {
			tasks, err = o.Tasks(ctx)
			return err
		})
	}
	for _, short := range shortNames(tasks) {
		names = append(names, prefix+short)
	}
	slices.Sort(names)
	return names
}

type taskRecord struct {
	Task    string   `json:"task"`
	Queue   string   `json:"queue"`
	Retries int      `json:"retries"`
	Schema  string   `json:"schema"`
	Workers int      `json:"workers"`
	Builds  []string `json:"builds"`
}

func taskRecordOf(t operate.Task) taskRecord {
	return taskRecord{t.Name, t.Spec.Queue, t.Spec.Retries, t.Spec.Schema, len(t.Processes), buildsOf(t)}
}

// buildsOf returns the builds that have a task.
func buildsOf(t operate.Task) []string {
	builds := []string{}
	for _, p := range t.Processes {
		builds = append(builds, buildOf(p.Build))
	}
	slices.Sort(builds)
	return slices.Compact(builds)
}

var taskColumns = []column[operate.Task]{
	{key: "task", title: "TASK", cell: func(t operate.Task) string { return shortTask(t.Name) }, value: func(t operate.Task) string { return t.Name }},
	{key: "queue", title: "QUEUE", value: func(t operate.Task) string { return t.Spec.Queue }},
	{key: "retries", title: "RETRIES", value: func(t operate.Task) string { return strconv.Itoa(t.Spec.Retries) }},
	{key: "schema", title: "SCHEMA", value: func(t operate.Task) string { return t.Spec.Schema }},
	{key: "workers", title: "WORKERS", value: func(t operate.Task) string { return strconv.Itoa(len(t.Processes)) }},
	{key: "builds", title: "BUILDS", value: func(t operate.Task) string { return strings.Join(buildsOf(t), ",") }},
}

type ownRecord struct {
	Task     string   `json:"task"`
	Was      []string `json:"was"`
	Queue    string   `json:"queue"`
	Retries  int      `json:"retries"`
	Timeout  string   `json:"timeout"` // 0s: none
	Backoff  string   `json:"backoff"`
	Priority string   `json:"priority"`
	Schedule string   `json:"schedule"`
	Schema   string   `json:"schema"`
	Fields   []string `json:"fields"` // of the arguments, as dtask.lock has them
}

func ownRecordOf(t operate.Task) ownRecord {
	s := t.Spec
	return ownRecord{
		t.Name, append([]string{}, s.Was...), s.Queue, s.Retries, s.Timeout.String(), s.Backoff.String(), s.Priority.String(), s.Cron,
		s.Schema, append([]string{}, s.Fields...),
	}
}

func (p *Program) ownColumns() []column[operate.Task] {
	short := shortNames(p.Own)
	return []column[operate.Task]{
		{key: "task", title: "TASK", cell: func(t operate.Task) string { return short[t.Name] }, value: func(t operate.Task) string { return t.Name }},
		{key: "queue", title: "QUEUE", value: func(t operate.Task) string { return t.Spec.Queue }},
		{key: "retries", title: "RETRIES", value: func(t operate.Task) string { return strconv.Itoa(t.Spec.Retries) }},
		{
			key: "timeout", title: "TIMEOUT",
			cell: func(t operate.Task) string {
				if t.Spec.Timeout == 0 {
					return "none"
				}
				return brief(t.Spec.Timeout)
			},
			value: func(t operate.Task) string { return t.Spec.Timeout.String() },
		},
		{key: "backoff", title: "BACKOFF", value: func(t operate.Task) string { return brief(t.Spec.Backoff) }},
		{key: "priority", title: "PRIORITY", value: func(t operate.Task) string { return t.Spec.Priority.String() }},
		{key: "schedule", title: "SCHEDULE", cell: func(t operate.Task) string { return cmp.Or(t.Spec.Cron, "-") }, value: func(t operate.Task) string { return t.Spec.Cron }},
		{key: "schema", title: "SCHEMA", cell: func(t operate.Task) string { return cmp.Or(t.Spec.Schema, "-") }, value: func(t operate.Task) string { return t.Spec.Schema }},
	}
}

// brief prints a duration without its zero parts: 1h, not 1h0m0s.
func brief(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// ownTask returns the task of this program with a name.
func (p *Program) ownTask(name string) (operate.Task, error) {
	short := shortNames(p.Own)
	for _, t := range p.Own {
		if t.Name == name || short[t.Name] == name {
			return t, nil
		}
	}
	return operate.Task{}, fmt.Errorf("%w in this program: %.100q; %s tasks lists them", operate.ErrNoTask, name, p.Name)
}
