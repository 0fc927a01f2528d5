package worker

import (
	"context"
	"maps"
	"sync"
	"time"

	"github.com/dtaskhq/dtask/runtime/dtask"
)

// taskCounts counts the outcomes of one task.
type taskCounts struct {
	Done       int64         `json:"done"`
	Retried    int64         `json:"retried"`
	Dead       int64         `json:"dead"`
	Snoozed    int64         `json:"snoozed"`
	HandedBack int64         `json:"handed_back"`
	Took       time.Duration `json:"took_ns"` // of all attempts together
}

func (c taskCounts) plus(d taskCounts) taskCounts {
	return taskCounts{c.Done + d.Done, c.Retried + d.Retried, c.Dead + d.Dead, c.Snoozed + d.Snoozed, c.HandedBack + d.HandedBack, c.Took + d.Took}
}

// maxTasks is how many tasks are counted by name, and others is the name of all
// the rest. Names come from messages, those of other services too, so there is no
// end to them.
const (
	maxTasks = 1000
	others   = "(other tasks)"
)

// counts counts the outcomes by task.
type counts struct {
	mu    sync.Mutex
	tasks map[string]taskCounts
}

func newCounts() *counts { return &counts{tasks: make(map[string]taskCounts)} }

// middleware counts the outcome of each message. The return of a task that was
// given up is no outcome: its message was settled before.
func (c *counts) middleware(next dtask.HandleFunc) dtask.HandleFunc {
	return func(ctx context.Context, m *dtask.Message) dtask.Outcome {
		start := time.Now()
		o := next(ctx, m)
		if o.Kind == dtask.OutcomeGivenUp {
			return o
		}
		one := taskCounts{Took: time.Since(start)}
		switch o.Kind {
		case dtask.OutcomeDone:
			one.Done = 1
		case dtask.OutcomeRetried:
			one.Retried = 1
		case dtask.OutcomeDead:
			one.Dead = 1
		case dtask.OutcomeSnoozed:
			one.Snoozed = 1
		default:
			one.HandedBack = 1
		}
		c.add(m.Task, one)
		return o
	}
}

func (c *counts) add(task string, one taskCounts) {
	c.mu.Lock()
	defer c.mu.Unlock()
	all, known := c.tasks[task]
	if !known && len(c.tasks) >= maxTasks {
		task = others
		all = c.tasks[others]
	}
	c.tasks[task] = all.plus(one)
}

// all returns the counts of all tasks.
func (c *counts) all() map[string]taskCounts {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.tasks)
}
