package operate

import (
	"context"
	"errors"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/operate/selection"
)

// Holds reports whether a peek takes what it looks at from the workers for a moment.
func (o *Operator) Holds() bool {
	_, err := broker.As[broker.Peeker](o.broker)
	return err == nil
}

// Peek looks at the first n messages of a queue that are ready, and returns those of them
// that are selected. It works on every broker: on one that holds what it looks at, it does
// so at most for [broker.MaxPeek] messages, and all of n are put off for a second,
// selected or not.
func (o *Operator) Peek(ctx context.Context, queue string, n int, s selection.Selection) ([]broker.Stored, error) {
	if err := o.check(s); err != nil {
		return nil, err
	}
	if err := broker.ValidateQueue(queue); err != nil {
		return nil, err
	}
	first, err := o.first(ctx, queue, n)
	asked := s.Broker(time.Now())
	var selected []broker.Stored
	for _, m := range first {
		if asked.Matches(m) {
			selected = append(selected, m)
		}
	}
	return selected, err
}

// first returns the first messages of a queue.
func (o *Operator) first(ctx context.Context, queue string, n int) ([]broker.Stored, error) {
	if peeker, err := broker.As[broker.Peeker](o.broker); err == nil {
		return peeker.Peek(ctx, queue, n)
	}
	lister, err := broker.As[broker.Lister](o.broker)
	if err != nil {
		return nil, err
	}
	if n < 1 {
		return nil, errors.New("look at one message at least")
	}
	page, err := lister.List(ctx, broker.Selection{Queues: []string{queue}, States: []broker.State{broker.StateReady}}, "", n)
	return page.Messages, err
}
