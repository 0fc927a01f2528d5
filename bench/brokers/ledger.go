package brokers

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"time"
)

// maxTasks bounds the tasks of a measurement.
const maxTasks = 4 << 20

// A ledger numbers the tasks of a measurement, and knows which were executed.
type ledger struct {
	first    int64 // number of the first task: no two measurements share any
	next     atomic.Int64
	executed atomic.Int64
	twice    atomic.Int64
	strange  atomic.Int64 // of another measurement
	last     atomic.Int64 // time of the last execution, in Unix nanoseconds
	entries  []entry
}

type entry struct {
	enqueued int64 // time of the call, in Unix nanoseconds; 0 if it does not matter
	latency  time.Duration
	executed atomic.Bool
}

var ledgers int64

func newLedger() *ledger {
	ledgers++
	return &ledger{first: ledgers << 32, entries: make([]entry, maxTasks)}
}

// take returns a new task.
func (l *ledger) take() task {
	return task{Name: "a name of 20 letters", N: l.first + l.next.Add(1) - 1}
}

// takeNow returns a new task whose latency is measured.
func (l *ledger) takeNow() task {
	t := l.take()
	l.entries[t.N-l.first].enqueued = time.Now().UnixNano()
	return t
}

// handle executes a task.
func (l *ledger) handle(t task) {
	n := t.N - l.first
	if n < 0 || n >= l.next.Load() {
		l.strange.Add(1)
		return
	}
	e := &l.entries[n]
	now := time.Now().UnixNano()
	if e.executed.Swap(true) {
		l.twice.Add(1)
		return
	}
	if e.enqueued != 0 {
		e.latency = time.Duration(now - e.enqueued)
	}
	l.last.Store(now)
	l.executed.Add(1)
}

// await waits until every task was executed.
func (l *ledger) await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for l.executed.Load() < l.next.Load() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("%d of %d tasks executed: %w", l.executed.Load(), l.next.Load(), ctx.Err())
		}
	}
	return nil
}

// check returns an error unless every task was executed, and how many were
// executed again: here, or of an earlier measurement. All systems promise at least
// once; but without a fault, none has a reason to execute a task twice.
func (l *ledger) check() (twice int64, err error) {
	if executed := l.executed.Load(); executed != l.next.Load() {
		return 0, fmt.Errorf("%d of %d tasks executed", executed, l.next.Load())
	}
	return l.twice.Load() + l.strange.Load(), nil
}

// since returns the tasks a second from a start to the last execution.
func (l *ledger) since(start time.Time) float64 {
	return float64(l.executed.Load()) / time.Unix(0, l.last.Load()).Sub(start).Seconds()
}

// median returns the median latency of all tasks in milliseconds.
func (l *ledger) median() float64 {
	var all []time.Duration
	for i := range l.next.Load() {
		all = append(all, l.entries[i].latency)
	}
	slices.Sort(all)
	return all[len(all)/2].Seconds() * 1000
}
