package operate

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/dtaskhq/dtask/internal/printable"
	"github.com/dtaskhq/dtask/runtime/broker"
)

// An Operation is a plan that is carried out in the background, as it is at one moment.
type Operation struct {
	ID         string
	Did, On    string // as the journal has it: "retried", "state:dead task:mail.Send"
	User, Host string // who began it, from where
	Began      time.Time
	Ended      time.Time // zero until then
	State      OperationState

	Messages int     // in the plan
	Progress         // how far it has come
	Limit    float64 // messages a second at most, 0 for no bound
	Rate     float64 // messages a second since it began or went on

	// Reason is why it is held or stopped: who said so, or what failed. It is also set
	// if all was done and the journal does not say so.
	Reason string
}

// An OperationState says whether an operation goes on.
type OperationState string

// The states of operations.
const (
	OperationRunning OperationState = "running"
	OperationHeld    OperationState = "held" // until it is told to go on
	OperationStopped OperationState = "stopped"
	OperationDone    OperationState = "done"
)

// Ended reports whether the operation will change nothing more.
func (s OperationState) Ended() bool { return s == OperationStopped || s == OperationDone }

const (
	// batchPatience is how long the broker may take for a batch. Brokers wait for their
	// servers as long as they are let; people want to be told.
	batchPatience = time.Minute

	// stopPatience is how long the batch may take that is being changed when somebody
	// stops the operation.
	stopPatience = 5 * time.Second

	// noteAgain is after how long a held operation tells the journal again what the
	// journal did not keep.
	noteAgain = time.Second
)

// A want is what an operation was told.
type want int

const (
	goOn want = iota
	hold
	stop
)

// An operation carries out one plan.
type operation struct {
	id       string
	ctx      context.Context // says who acts
	who      person
	limit    float64
	size     int // of a batch
	patience time.Duration

	mu      sync.Mutex
	carried carrying
	began   time.Time
	ended   time.Time
	state   OperationState
	want    want
	reason  string
	since   time.Time          // it has run without a pause
	before  int                // messages it had looked at then
	told    chan struct{}      // has something in it when want has changed
	cut     context.CancelFunc // ends the batch that is being changed
}

func newOperation(ctx context.Context, p *Plan, rate float64, size int, patience time.Duration) *operation {
	now := time.Now()
	return &operation{
		id: rand.Text(), ctx: ctx, who: actor(ctx), limit: rate, size: size, patience: patience,
		carried: carrying{plan: p, Progress: Progress{Left: p.Messages}},
		began:   now, since: now, state: OperationRunning, told: make(chan struct{}, 1), cut: func() {},
	}
}

func (op *operation) snapshot() Operation {
	op.mu.Lock()
	defer op.mu.Unlock()
	p := op.carried.plan
	s := Operation{
		ID: op.id, Did: p.action.Done, On: p.on, User: op.who.user, Host: op.who.host,
		Began: op.began, Ended: op.ended, State: op.state, Messages: p.Messages, Progress: op.carried.Progress,
		Limit: op.limit, Reason: op.reason,
	}
	if op.state == OperationRunning {
		if took := time.Since(op.since).Seconds(); took > 0 {
			s.Rate = float64(op.carried.looked()-op.before) / took
		}
	}
	return s
}

// tell tells the operation what to do. To stop, it may be told in any state.
func (op *operation) tell(w want, why string) error {
	op.mu.Lock()
	defer op.mu.Unlock()
	switch {
	case op.state.Ended():
		if w == stop {
			return nil
		}
		return fmt.Errorf("%w: it is %s", ErrNoOperation, op.state)
	case op.want == stop, op.want == w && w == goOn:
		return nil
	}
	op.want, op.reason = w, why
	if w == stop {
		time.AfterFunc(stopPatience, op.cut)
	}
	select {
	case op.told <- struct{}{}:
	default:
	}
	return nil
}

// errStopped ends an operation that was told to stop.
var errStopped = errors.New("stopped")

// run carries out the plan, and keeps in the journal that it did.
func (op *operation) run() {
	plan := op.carried.plan
	act := plan.act()
	act.Began = op.began
	err := plan.operator.act(op.ctx, act, func(a *broker.Act) error {
		for {
			err := op.next(a)
			op.mu.Lock()
			op.carried.tell(a)
			left, reason := op.carried.Left, op.reason
			op.mu.Unlock()
			if errors.Is(err, errStopped) {
				return errors.New(reason)
			}
			if left == 0 {
				return nil
			}
		}
	})
	op.mu.Lock()
	defer op.mu.Unlock()
	op.ended, op.state = time.Now(), OperationDone
	if op.carried.Left > 0 {
		op.state = OperationStopped
	}
	op.reason = ""
	if err != nil {
		op.reason = printable.Masked(err.Error())
	}
}

// next changes one batch when the pace allows it, or is held until it is told what to do.
func (op *operation) next(a *broker.Act) error {
	op.mu.Lock()
	want, at := op.want, due(op.since, op.carried.looked()-op.before, op.limit)
	if want == hold {
		op.state = OperationHeld
	}
	op.mu.Unlock()
	switch want {
	case stop:
		return errStopped
	case hold:
		op.held(a)
		op.mu.Lock()
		op.state, op.since, op.before = OperationRunning, time.Now(), op.carried.looked()
		op.mu.Unlock()
		return nil
	}
	wait := time.NewTimer(time.Until(at))
	defer wait.Stop()
	select {
	case <-op.told:
		return nil
	case <-wait.C:
	}
	op.batch()
	return nil
}

func (op *operation) wants() want {
	op.mu.Lock()
	defer op.mu.Unlock()
	return op.want
}

// batch changes one batch. If it fails, the operation is held.
func (op *operation) batch() {
	ctx, cancel := context.WithTimeout(op.ctx, op.patience)
	defer cancel()
	op.mu.Lock()
	op.cut = cancel
	c := op.carried
	op.mu.Unlock()
	err := c.batch(ctx, op.size)
	op.mu.Lock()
	defer op.mu.Unlock()
	op.carried = c
	if err != nil && op.want == goOn {
		op.want, op.reason = hold, printable.Masked(err.Error())
	}
}

// held waits until the operation is to go on or to stop. As its process may die meanwhile,
// the journal is told how far the operation has come, again and again until it keeps that:
// what held the operation may have taken the journal away too.
func (op *operation) held(a *broker.Act) {
	for op.wants() == hold {
		var again <-chan time.Time
		if op.note(a) != nil {
			again = time.After(noteAgain)
		}
		select {
		case <-op.told:
		case <-again:
		}
	}
}

// note keeps in the journal that the operation is held, and how far it has come.
func (op *operation) note(a *broker.Act) error {
	operator := op.carried.plan.operator
	journal, err := broker.As[broker.Journal](operator.broker)
	if err != nil {
		return nil // there is none
	}
	op.mu.Lock()
	act := *a
	act.Error = printable.Cut("held: "+op.reason, broker.MaxActText)
	op.mu.Unlock()
	return keep(op.ctx, journal, act)
}
