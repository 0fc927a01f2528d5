package worker

import (
	"context"
	"maps"
	"sync"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/dtask"
)

// taskCounts counts the outcomes of one task.
type taskCounts struct {
	Done        int64         `json:"done"`
	Retried     int64         `json:"retried"`
	Dead        int64         `json:"dead"`
	Snoozed     int64         `json:"snoozed"`
	HandedBack  int64         `json:"handed_back"`
	Cancelled   int64         `json:"cancelled"`
	NotRecorded int64         `json:"not_recorded"` // outcomes, counted nowhere else
	Took        time.Duration `json:"took_ns"`      // of all attempts together
}

func (c taskCounts) plus(d taskCounts) taskCounts {
	return taskCounts{c.Done + d.Done, c.Retried + d.Retried, c.Dead + d.Dead, c.Snoozed + d.Snoozed, c.HandedBack + d.HandedBack, c.Cancelled + d.Cancelled, c.NotRecorded + d.NotRecorded, c.Took + d.Took}
}

// foreign stands for all tasks that the program does not have: their names come
// from others, and may be any number.
const foreign = "(tasks of other programs)"

// counts counts the outcomes by task.
type counts struct {
	known map[string]string // present names by present and former ones

	mu    sync.Mutex
	tasks map[string]taskCounts
}

// newCounts returns the counts of a program with the given tasks.
func newCounts(tasks dtask.Table) *counts {
	c := &counts{known: make(map[string]string), tasks: make(map[string]taskCounts)}
	for _, t := range tasks {
		c.known[t.Name] = t.Name
		for _, was := range t.Spec.Was {
			c.known[was] = t.Name
		}
	}
	return c
}

// name returns the name under which a task is counted.
func (c *counts) name(task string) string {
	if name, ok := c.known[task]; ok {
		return name
	}
	return foreign
}

// middleware counts the outcome of each message. The return of a task that was
// given up is no outcome: its message was settled before.
func (c *counts) middleware(next dtask.HandleFunc) dtask.HandleFunc {
	return func(ctx context.Context, m *dtask.Message) dtask.Outcome {
		start := time.Now()
		o := next(ctx, m)
		if o.Kind == dtask.OutcomeGivenUp {
			return o
		}
		one := countOf(o.Kind.String(), 1)
		one.Took = time.Since(start)
		c.mu.Lock()
		name := c.name(m.Task)
		c.tasks[name] = c.tasks[name].plus(one)
		c.mu.Unlock()
		return o
	}
}

// countOf counts n outcomes, by the word for them.
func countOf(outcome string, n int64) (c taskCounts) {
	switch outcome {
	case dtask.OutcomeDone.String():
		c.Done = n
	case dtask.OutcomeRetried.String():
		c.Retried = n
	case dtask.OutcomeDead.String():
		c.Dead = n
	case dtask.OutcomeSnoozed.String():
		c.Snoozed = n
	case dtask.OutcomeCancelled.String():
		c.Cancelled = n
	default:
		c.HandedBack = n
	}
	return c
}

// all returns the counts of all tasks, as far as the broker has recorded them.
func (c *counts) all(unrecorded []broker.Unrecorded) map[string]taskCounts {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := maps.Clone(c.tasks)
	for _, u := range unrecorded {
		name := c.name(u.Task)
		less := countOf(u.Outcome, -1)
		less.NotRecorded = 1
		all[name] = all[name].plus(less)
	}
	return all
}
