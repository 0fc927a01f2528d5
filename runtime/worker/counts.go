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
		c.mu.Lock()
		c.tasks[m.Task] = c.tasks[m.Task].plus(one)
		c.mu.Unlock()
		return o
	}
}

// all returns the counts of all tasks.
func (c *counts) all() map[string]taskCounts {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.tasks)
}
