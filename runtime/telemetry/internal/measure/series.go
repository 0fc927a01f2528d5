package measure

import (
	"context"
	"sync"

	"github.com/dtaskhq/dtask/runtime/dtask"
	"github.com/dtaskhq/dtask/runtime/internal/inside"
)

// A Sink keeps what is recorded.
type Sink interface {
	// Counter returns what adds to a series. The labels have the order of m.
	Counter(m *Metric, labels ...string) Add

	// Histogram returns what records in a series.
	Histogram(m *Metric, labels ...string) Observe
}

// Add adds n to a counter.
type Add func(ctx context.Context, n int64)

// Observe records a value. Whose it is, leads to its trace.
type Observe func(ctx context.Context, v float64, whose Observed)

// Observed is what a value is of: an attempt of a message, or an enqueue.
type Observed struct{ message *dtask.Message } // of an attempt

// Names that stand for all others. What is a label is bounded, whatever names
// producers invent and however many queues a program makes.
const (
	foreignTasks = "(tasks of other programs)"
	otherNames   = "(others)"
	otherErrors  = "_OTHER" // by the conventions of OpenTelemetry
)

// How many different values a label may have.
const (
	maxTasks  = 1000
	maxQueues = 200
	maxErrors = 100
)

// A bounded set of names. What is beyond its bound has one name together.
type bounded struct {
	most   int
	others string

	mu    sync.RWMutex
	names map[string]string
}

func newBounded(most int, others string) *bounded {
	return &bounded{most: most, others: others, names: make(map[string]string)}
}

// name returns the name, or the one for all others.
func (b *bounded) name(name string) string {
	b.mu.RLock()
	known, ok := b.names[name]
	full := len(b.names) >= b.most
	b.mu.RUnlock()
	switch {
	case ok:
		return known
	case full || name == "":
		return b.others
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.names) < b.most {
		b.names[name] = name
	}
	return name
}

// A cache of series by their labels, which are few.
type cache[K comparable, S any] struct {
	mu     sync.RWMutex
	series map[K]S
}

// get returns the series of k, which build makes when it is asked for first.
func (c *cache[K, S]) get(k K, build func(K) S) S {
	c.mu.RLock()
	s, ok := c.series[k]
	c.mu.RUnlock()
	if ok {
		return s
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if s, ok := c.series[k]; ok {
		return s
	}
	if c.series == nil {
		c.series = make(map[K]S)
	}
	s = build(k)
	c.series[k] = s
	return s
}

// each calls f for every series.
func (c *cache[K, S]) each(f func(K, S)) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	for k, s := range c.series {
		f(k, s)
	}
}

// task returns the name under which a task is counted.
func (m *Meter) task(ctx context.Context, task string) string {
	name, ok := inside.TaskName(ctx, task)
	if !ok {
		return foreignTasks
	}
	return m.tasks.name(name)
}
