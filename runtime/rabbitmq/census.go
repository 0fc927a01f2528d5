package rabbitmq

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/census"
	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/codec"
)

// censusSkew is how far the clocks of two machines may differ.
const censusSkew = time.Hour

var _ broker.Censor = (*Broker)(nil)

// Census implements [broker.Censor]. It reads all records, some 30,000 a second.
//
// A kind that nobody has sent for a day, and of which none is delayed any more, is gone
// if its queue is empty: what may be left of it runs.
func (b *Broker) Census(ctx context.Context) (broker.Census, error) {
	return ask(ctx, b, func(s *session) (c broker.Census, err error) {
		t, err := b.tally(ctx, s)
		if err != nil {
			return c, err
		}
		states, err := b.lengths(ctx, s)
		if err != nil {
			return c, err
		}
		if !t.Since.IsZero() {
			c.Since = t.Since.Add(census.Valid)
		}
		now := time.Now()
		named := make(map[string]bool)
		for k, said := range t.Kinds {
			over := now.Sub(said.Seen) > census.Valid+censusSkew && now.After(said.Latest)
			switch {
			case k == census.Kind{}:
				c.Overflow = !over || len(states) > 0
			case !over || states[k.Queue]:
				named[k.Queue] = true
				c.Kinds = append(c.Kinds, broker.Kind{Queue: k.Queue, Task: k.Task, Schema: k.Schema, Seen: said.Seen, Latest: said.Latest})
			}
		}
		for queue := range states {
			if !named[queue] {
				c.Unnamed = append(c.Unnamed, queue)
			}
		}
		slices.SortFunc(c.Kinds, broker.Kind.Compare)
		slices.Sort(c.Unnamed)
		return c, nil
	})
}

// tally reads the census.
func (b *Broker) tally(ctx context.Context, s *session) (*census.Tally, error) {
	stream := b.topology.census()
	exists, err := queueExists(ctx, s, stream)
	if err != nil || !exists {
		return new(census.Tally), err
	}
	fence := rand.Text()
	if err := b.clerk.fence(ctx, fence); err != nil {
		return nil, fmt.Errorf("read the census: %w", err)
	}
	ch, err := s.Channel(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { go ch.Close() }()
	t, err := census.Read(ctx, ch, stream, fence)
	if err != nil {
		return nil, fmt.Errorf("read the census: %w", err)
	}
	return t, nil
}

// fence publishes a mark at the end of the stream.
func (c *clerk) fence(ctx context.Context, id string) error {
	select {
	case c.turn <- struct{}{}:
		defer func() { <-c.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	return c.send(ctx, []codec.Envelope{census.Fence(id)})
}

// lengths returns the queues that have messages for workers.
func (b *Broker) lengths(ctx context.Context, s *session) (map[string]bool, error) {
	queues, err := b.registered(ctx, s)
	if err != nil {
		return nil, err
	}
	waiting := make(map[string]bool)
	for _, q := range queues {
		state, err := b.state(ctx, s, q)
		if err != nil {
			return nil, err
		}
		if state.Ready > 0 {
			waiting[q] = true
		}
	}
	return waiting, nil
}
