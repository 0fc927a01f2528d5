package operate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// ErrNoOperation: there is no operation with the id, or not any more.
var ErrNoOperation = errors.New("no such operation")

const (
	// maxRunning is how many operations there are at one time. Each keeps its plan.
	maxRunning = 20

	// maxEnded is how many are remembered that have ended; all are in the journal.
	maxEnded = 50
)

// Operations carry out plans in this process, beside whoever asked for them: pages may be
// closed and opened again. All methods are safe for concurrent use.
type Operations struct {
	operator *Operator
	patience time.Duration // for the broker to change one batch

	mu     sync.Mutex
	list   []*operation // in the order in which they began
	closed bool
	work   sync.WaitGroup
}

// NewOperations returns the operations of an operator: none yet. Close them before the
// broker.
func NewOperations(o *Operator) *Operations {
	return &Operations{operator: o, patience: batchPatience}
}

// Start begins to carry out a plan, of at most rate messages a second unless that is 0,
// and returns the id of the operation. It is kept in the journal under the name of the one
// who acts with ctx ([As]). The end of ctx does not end it.
func (s *Operations) Start(ctx context.Context, p *Plan, rate float64) (id string, err error) {
	size, err := Pace{Rate: rate}.size()
	if err != nil {
		return "", err
	}
	if p.Messages == 0 {
		return "", errors.New("there is nothing to do: no message is selected to which it can be done")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return "", errors.New("this program is about to end; start the operation elsewhere")
	}
	if n := len(s.running()); n >= maxRunning {
		return "", fmt.Errorf("%d operations run or are held already; wait until one has ended, or stop one", n)
	}
	op := newOperation(context.WithoutCancel(ctx), p, rate, size, s.patience)
	s.list = append(s.list, op)
	s.forget()
	s.work.Go(op.run)
	return op.id, nil
}

// running returns the operations that have not ended.
func (s *Operations) running() (some []*operation) {
	for _, op := range s.list {
		if !op.snapshot().State.Ended() {
			some = append(some, op)
		}
	}
	return some
}

// forget leaves out the oldest of those that have ended.
func (s *Operations) forget() {
	most := len(s.running()) + maxEnded
	s.list = slices.DeleteFunc(s.list, func(op *operation) bool {
		if most >= len(s.list) || !op.snapshot().State.Ended() {
			return false
		}
		most++
		return true
	})
}

// All returns the operations: those that run or are held, and the last ones that have
// ended, the newest first.
func (s *Operations) All() []Operation {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []Operation
	for _, op := range slices.Backward(s.list) {
		all = append(all, op.snapshot())
	}
	return all
}

// Get returns one operation. Its error wraps [ErrNoOperation].
func (s *Operations) Get(id string) (Operation, error) {
	op, err := s.find(id)
	if err != nil {
		return Operation{}, err
	}
	return op.snapshot(), nil
}

// Hold has an operation change nothing more until it is told to go on. The batch that is
// being changed is changed whole.
func (s *Operations) Hold(ctx context.Context, id string) error {
	return s.tell(id, hold, "held by "+whoActs(ctx))
}

// GoOn has an operation go on that is held, because somebody said so or because the broker
// failed.
func (s *Operations) GoOn(id string) error { return s.tell(id, goOn, "") }

// Stop ends an operation. What it has not changed stays as it is.
func (s *Operations) Stop(ctx context.Context, id string) error {
	return s.tell(id, stop, "stopped by "+whoActs(ctx))
}

func (s *Operations) tell(id string, w want, why string) error {
	op, err := s.find(id)
	if err == nil {
		err = op.tell(w, why)
	}
	return err
}

func (s *Operations) find(id string) (*operation, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, op := range s.list {
		if op.id == id {
			return op, nil
		}
	}
	return nil, fmt.Errorf("%.40q: %w; see the journal for those that ended long ago", id, ErrNoOperation)
}

// Close stops all operations, and waits until the journal knows how far they came.
func (s *Operations) Close() {
	s.mu.Lock()
	s.closed = true
	for _, op := range s.list {
		op.tell(stop, "the program that carried it out has ended")
	}
	s.mu.Unlock()
	s.work.Wait()
}

// whoActs names who acts with a context.
func whoActs(ctx context.Context) string {
	p := actor(ctx)
	return p.user + " at " + p.host
}
