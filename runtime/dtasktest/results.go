package dtasktest

import (
	"context"
	"errors"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/dtask"
)

// results are the outcomes of a Recorder's messages, of those that ask to keep
// them. They stay until Reset. The mutex of the Recorder guards them.
type results struct {
	byID    map[string]*broker.Result // nil for a message that has no outcome yet
	changed chan struct{}             // closed, and replaced, at every change
}

var errNeverRuns = errors.New("a Recorder runs nothing; use a dtasktest.Worker, and call Step or Drain before Wait")

// Result implements [broker.ResultStore].
func (b memory) Result(ctx context.Context, id string) (broker.Result, error) {
	for {
		b.mu.Lock()
		r, known := b.results.byID[id]
		changed := b.results.change()
		b.mu.Unlock()
		switch {
		case r != nil:
			return *r, nil
		case !known:
			return broker.Result{}, dtask.ErrNoResult
		case !b.worked:
			return broker.Result{}, errNeverRuns
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return broker.Result{}, ctx.Err()
		}
	}
}

// expect notes that m will have an outcome.
func (r *results) expect(m *dtask.Message) { r.set(m, nil) }

// settle notes what a settlement means for the outcome of m.
func (r *results) settle(m *dtask.Message, s broker.Settlement) {
	switch s.Verdict {
	case broker.Done:
		r.set(m, &broker.Result{Task: m.Task, Value: s.Result})
	case broker.Dead:
		r.set(m, &broker.Result{Task: m.Task, Failure: &m.Failures[len(m.Failures)-1]})
	case broker.Cancelled:
		r.set(m, &broker.Result{Task: m.Task, Cancelled: true})
	}
}

func (r *results) set(m *dtask.Message, outcome *broker.Result) {
	if m.Keep <= 0 {
		return
	}
	if r.byID == nil {
		r.byID = make(map[string]*broker.Result)
	}
	r.byID[m.ID] = outcome
	r.notify()
}

func (r *results) reset() {
	r.byID = nil
	r.notify()
}

// change returns a channel that is closed at the next change.
func (r *results) change() <-chan struct{} {
	if r.changed == nil {
		r.changed = make(chan struct{})
	}
	return r.changed
}

func (r *results) notify() {
	if r.changed != nil {
		close(r.changed)
		r.changed = nil
	}
}
