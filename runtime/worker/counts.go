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
	Done     int64         `json:"done"`
	Retried  int64         `json:"retried"`
	Buried   int64         `json:"buried"`
	Snoozed  int64         `json:"snoozed"`
	Returned int64         `json:"returned"`
	Took     time.Duration `json:"took_ns"` // of all attempts together
}

func (c taskCounts) plus(d taskCounts) taskCounts {
	return taskCounts{c.Done + d.Done, c.Retried + d.Retried, c.Buried + d.Buried, c.Snoozed + d.Snoozed, c.Returned + d.Returned, c.Took + d.Took}
}

// counts counts the outcomes by task.
type counts struct {
	mu    sync.Mutex
	tasks map[string]taskCounts
}

func newCounts() *counts { return &counts{tasks: make(map[string]taskCounts)} }

// middleware counts what becomes of each message. What a task that was given up
// returns in the end becomes of none.
func (c *counts) middleware(next dtask.HandleFunc) dtask.HandleFunc {
	return func(ctx context.Context, m *dtask.Message) dtask.Outcome {
		start := time.Now()
		o := next(ctx, m)
		if o.Kind == dtask.GivenUp {
			return o
		}
		one := taskCounts{Took: time.Since(start)}
		switch o.Kind {
		case dtask.Executed:
			one.Done = 1
		case dtask.Retried:
			one.Retried = 1
		case dtask.Buried:
			one.Buried = 1
		case dtask.Snoozed:
			one.Snoozed = 1
		default:
			one.Returned = 1
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
