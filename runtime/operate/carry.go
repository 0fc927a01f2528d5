package operate

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
)

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

// size returns how many messages are changed at a time.
func (p Pace) size() (int, error) {
	size := cmp.Or(p.Batch, defaultBatch)
	if size < 1 || p.Rate < 0 {
		return 0, errors.New("a batch has at least one message, and a rate is positive")
	}
	if p.Rate > 0 {
		size = max(1, min(size, int(p.Rate)))
	}
	return size, nil
}

// A Progress is how far a plan was carried out.
type Progress struct {
	Changed int // as the plan says
	Skipped int // they had moved on since: somebody was faster
	Left    int // not yet looked at; the same selection finds them again
}

// Do carries out the plan, and keeps in the journal that it did. It ends early with its
// context, which is no error of the messages that were changed: the progress says how far
// it came.
func (p *Plan) Do(ctx context.Context, pace Pace) (Progress, error) {
	size, err := pace.size()
	c := carrying{plan: p, Progress: Progress{Left: p.Messages}}
	if err != nil || p.Messages == 0 {
		return c.Progress, err
	}
	err = p.operator.act(ctx, p.act(), func(a *broker.Act) error {
		defer c.tell(a)
		return c.all(ctx, pace, size)
	})
	return c.Progress, err
}

// act returns what the journal is told of the plan.
func (p *Plan) act() broker.Act {
	return broker.Act{Did: p.action.Done, On: p.on, Planned: p.Messages}
}

// A carrying is a plan that is carried out.
type carrying struct {
	Progress
	plan *Plan
	at   int // the first of the next batch

	// some of the next batch were changed already, before an error.
	some int
}

// tell says in an act how far the plan has come.
func (c *carrying) tell(a *broker.Act) { a.Changed, a.Skipped = c.Changed, c.Skipped }

// looked returns how many messages were looked at.
func (c *carrying) looked() int { return c.plan.Messages - c.Left }

func (c *carrying) all(ctx context.Context, pace Pace, size int) error {
	began := time.Now()
	for c.Left > 0 {
		if err := sleepUntil(ctx, due(began, c.looked(), pace.Rate)); err != nil {
			return err
		}
		if err := c.batch(ctx, size); err != nil {
			return err
		}
		if pace.Progress != nil {
			pace.Progress(c.looked())
		}
	}
	return nil
}

// batch changes the next messages. After an error it begins with the same again.
func (c *carrying) batch(ctx context.Context, size int) error {
	refs := c.plan.refs[c.at:min(c.at+size, len(c.plan.refs))]
	n, err := c.plan.action.do(ctx, c.plan.operator.broker, refs)
	c.Changed += n
	c.some += n
	if err != nil {
		c.Left -= n
		return err
	}
	c.Skipped += len(refs) - c.some
	c.Left -= len(refs) - (c.some - n)
	c.at, c.some = c.at+len(refs), 0
	return nil
}

// due returns when the rate allows more, after so many messages since began.
func due(began time.Time, messages int, rate float64) time.Time {
	if rate == 0 {
		return began
	}
	return began.Add(time.Duration(float64(messages) / rate * float64(time.Second)))
}

func sleepUntil(ctx context.Context, t time.Time) error {
	timer := time.NewTimer(time.Until(t))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
	return ctx.Err()
}
