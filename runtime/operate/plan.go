package operate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/operate/selection"
)

// maxPlanned is how many messages a plan holds at most, each some 200 bytes.
const maxPlanned = 1_000_000

// A Plan is what an action would change.
type Plan struct {
	// Messages is how many messages there are in the plan, and Kinds what they are,
	// sorted by queue, task and state.
	Messages int
	Kinds    []Kind

	// More reports that others are selected, too: a plan holds a million.
	More bool

	action   Action
	operator *Operator
	on       string // the text of what was selected
	refs     []broker.Ref
}

// Did returns the word for what the plan does, as in "3 messages retried".
func (p *Plan) Did() string { return p.action.Done }

// A Kind is a number of messages that have these in common.
type Kind struct {
	Queue, Task string
	State       broker.State
	Messages    int
}

// ErrState: what is selected is in no state for the act.
var ErrState = errors.New("state")

// Plan finds the messages that an action would change: those of the selection to which
// it can be done. Only a cancel can be done to running ones.
func (o *Operator) Plan(ctx context.Context, s selection.Selection, a Action) (*Plan, error) {
	p, lister, err := o.newPlan(a, s.WithoutArguments())
	if err != nil {
		return nil, err
	}
	if err := o.check(s); err != nil {
		return nil, err
	}
	asked := s.Broker(time.Now())
	if len(asked.States) > 0 {
		given := asked.States
		asked.States = slices.DeleteFunc(slices.Clone(given), func(s broker.State) bool { return !slices.Contains(a.states, s) })
		if len(asked.States) == 0 {
			return nil, fmt.Errorf("%w: messages that are %s cannot be %s; those that can are %s", ErrState, either(given), a.Done, either(a.states))
		}
	}
	return p, p.collect(ctx, lister, asked)
}

// either lists states.
func either(states []broker.State) string {
	var names []string
	for _, s := range states {
		names = append(names, string(s))
	}
	return strings.Join(names, " or ")
}

// PlanIDs is Plan for messages that are named by their ids. Its error wraps
// [broker.ErrNoMessage] if there is no message of one of them.
func (o *Operator) PlanIDs(ctx context.Context, ids []string, a Action) (*Plan, error) {
	p, lister, err := o.newPlan(a, "id:"+strings.Join(ids, ","))
	if err != nil {
		return nil, err
	}
	for _, id := range slices.Compact(slices.Sorted(slices.Values(ids))) {
		m, err := lister.Stored(ctx, id)
		if err != nil {
			return nil, err
		}
		if slices.Contains(a.states, m.State) {
			p.add(m)
		}
	}
	return p, nil
}

func (o *Operator) newPlan(a Action, on string) (*Plan, broker.Lister, error) {
	lister, err := broker.As[broker.Lister](o.broker)
	return &Plan{action: a, operator: o, on: on}, lister, err
}

// collect notes the selected messages. They are noted where the broker looks at them,
// so that it keeps none, and so that a broker that looks at all of them for each page
// looks once.
func (p *Plan) collect(ctx context.Context, lister broker.Lister, s broker.Selection) error {
	seen := make(map[string]bool) // a broker that loses its connection begins anew
	where := s.Where
	s.Where = func(m broker.Stored) bool {
		if where != nil && !where(m) || !slices.Contains(p.action.states, m.State) {
			return false
		}
		key := m.Message.ID + " " + m.At.String()
		if len(p.refs) == maxPlanned {
			p.More = p.More || !seen[key]
			return p.More // which is enough
		}
		if !seen[key] {
			seen[key] = true
			p.add(m)
		}
		return false
	}
	var after broker.Cursor
	for {
		page, err := lister.List(ctx, s, after, 1)
		if err != nil {
			return err
		}
		if after = page.Next; after == "" || p.More {
			return nil
		}
	}
}

// add adds a message to the plan.
func (p *Plan) add(m broker.Stored) {
	p.refs = append(p.refs, m.Ref())
	p.Messages++
	k := Kind{Queue: m.Message.Queue, Task: m.Message.Task, State: m.State}
	i, found := slices.BinarySearchFunc(p.Kinds, k, func(a, b Kind) int {
		return cmp.Or(cmp.Compare(a.Queue, b.Queue), cmp.Compare(a.Task, b.Task), cmp.Compare(a.State, b.State))
	})
	if !found {
		p.Kinds = slices.Insert(p.Kinds, i, k)
	}
	p.Kinds[i].Messages++
}
