package operate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
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

	action Action
	editor broker.Editor
	refs   []broker.Ref
}

// A Kind is a number of messages that have these in common.
type Kind struct {
	Queue, Task string
	State       broker.State
	Messages    int
}

// Plan finds the messages that an action would change: those of the selection to which
// it can be done. Running ones are never among them.
func (o *Operator) Plan(ctx context.Context, s selection.Selection, a Action) (*Plan, error) {
	p, lister, err := o.newPlan(a)
	if err != nil {
		return nil, err
	}
	asked := s.Broker(time.Now())
	if len(asked.States) > 0 {
		given := asked.States
		asked.States = slices.DeleteFunc(slices.Clone(given), func(s broker.State) bool { return !slices.Contains(a.states, s) })
		if len(asked.States) == 0 {
			return nil, fmt.Errorf("%v messages cannot be %s; those that can are %v", given, a.Done, a.states)
		}
	}
	return p, p.collect(ctx, lister, asked)
}

// PlanIDs is Plan for messages that are named by their ids. Its error wraps
// [broker.ErrNoMessage] if there is no message of one of them.
func (o *Operator) PlanIDs(ctx context.Context, ids []string, a Action) (*Plan, error) {
	p, lister, err := o.newPlan(a)
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

func (o *Operator) newPlan(a Action) (*Plan, broker.Lister, error) {
	editor, err := broker.As[broker.Editor](o.broker)
	if err != nil {
		return nil, nil, err
	}
	lister, err := broker.As[broker.Lister](o.broker)
	return &Plan{action: a, editor: editor}, lister, err
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

// A Pace says how fast a plan is carried out.
type Pace struct {
	// Batch is how many messages are changed at a time; 0 is for 500.
	Batch int

	// Rate is how many messages a second are changed at most; 0 is for no bound.
	Rate float64

	// Progress, unless it is nil, is called after each batch with how many messages
	// were looked at.
	Progress func(looked int)
}

// defaultBatch is how many messages are changed at a time. On RabbitMQ each batch
// looks at all dead letters of its queue.
const defaultBatch = 500

// A Progress is how far a plan was carried out.
type Progress struct {
	Changed int // as the plan says
	Skipped int // they had moved on since: somebody was faster
	Left    int // not yet looked at; the same selection finds them again
}

// Do carries out the plan. It ends early with its context, which is no error of the
// messages that were changed: the progress says how far it came.
func (p *Plan) Do(ctx context.Context, pace Pace) (Progress, error) {
	size := cmp.Or(pace.Batch, defaultBatch)
	if size < 1 || pace.Rate < 0 {
		return Progress{Left: p.Messages}, errors.New("a batch has at least one message, and a rate is positive")
	}
	if pace.Rate > 0 {
		size = max(1, min(size, int(pace.Rate)))
	}
	done := Progress{Left: p.Messages}
	began := time.Now()
	for chunk := range slices.Chunk(p.refs, size) {
		if err := p.await(ctx, began, p.Messages-done.Left, pace.Rate); err != nil {
			return done, err
		}
		n, err := p.action.do(ctx, p.editor, chunk)
		done.Changed += n
		if err != nil {
			done.Left -= n
			return done, err
		}
		done.Skipped += len(chunk) - n
		done.Left -= len(chunk)
		if pace.Progress != nil {
			pace.Progress(p.Messages - done.Left)
		}
	}
	return done, nil
}

// await waits until the rate allows more after so many messages.
func (p *Plan) await(ctx context.Context, began time.Time, looked int, rate float64) error {
	if rate == 0 {
		return ctx.Err()
	}
	t := time.NewTimer(time.Until(began.Add(time.Duration(float64(looked) / rate * float64(time.Second)))))
	defer t.Stop()
	select {
	case <-t.C:
		return ctx.Err()
	case <-ctx.Done():
		return ctx.Err()
	}
}
