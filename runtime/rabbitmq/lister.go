package rabbitmq

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/wire"
)

var (
	_ broker.Lister  = (*Broker)(nil)
	_ broker.Counter = (*Broker)(nil)
)

// onlyDead returns an error unless all that is asked for are dead letters.
func onlyDead(states ...broker.State) error {
	if len(states) > 0 && !slices.ContainsFunc(states, func(s broker.State) bool { return s != broker.StateDead }) {
		return nil
	}
	return fmt.Errorf("%w: RabbitMQ shows and changes only dead letters (state:dead); to look at what waits would take it from the workers, "+
		"and nothing keeps what is delayed or runs in an order that can be searched", broker.ErrUnsupported)
}

// storedDead returns a dead letter as it is listed.
func storedDead(d *wire.Delivery, queue string) broker.Stored {
	m := decodeDead(d, queue)
	s := broker.Stored{Message: &m, State: broker.StateDead}
	if n := len(m.Failures); n > 0 {
		s.At = m.Failures[n-1].At
	}
	return s
}

// List implements [broker.Lister] for dead letters, by queue and by the time at which
// they died: 65,535 of each queue. It looks at all of a queue for every page, for
// RabbitMQ does not keep the order of what was looked at. Nobody else sees the letters
// meanwhile.
func (b *Broker) List(ctx context.Context, s broker.Selection, after broker.Cursor, limit int) (page broker.Page, err error) {
	if limit < 1 {
		return page, fmt.Errorf("limit %d: ask for at least one message", limit)
	}
	from, err := parsePlace(after)
	if err != nil {
		return page, err
	}
	err = b.eachQueue(ctx, s, func(on *session, queue string) error {
		left := limit - len(page.Messages)
		if queue < from.queue || left == 0 {
			return nil
		}
		first := oldest{most: left}
		if err := b.eachDead(ctx, on, queue, s, func(m broker.Stored) {
			if from.before(m) {
				first.add(m)
			}
		}); err != nil {
			return err
		}
		page.Messages = append(page.Messages, first.sorted()...)
		if len(page.Messages) == limit {
			page.Next = placeOf(page.Messages[limit-1]).cursor()
		}
		return nil
	}, func() { page = broker.Page{} })
	return page, err
}

// oldest keeps the first messages of those that are added, by the order of places.
type oldest struct {
	most int
	list []broker.Stored
}

func (o *oldest) add(m broker.Stored) {
	if o.list = append(o.list, m); len(o.list) >= 2*o.most {
		o.sorted()
	}
}

func (o *oldest) sorted() []broker.Stored {
	slices.SortFunc(o.list, func(a, b broker.Stored) int { return placeOf(a).compare(placeOf(b)) })
	o.list = slices.Delete(o.list, min(o.most, len(o.list)), len(o.list))
	return o.list
}

// Stored implements [broker.Lister]. It looks for the id among the dead letters of
// all queues.
func (b *Broker) Stored(ctx context.Context, id string) (found broker.Stored, err error) {
	s := broker.Selection{States: []broker.State{broker.StateDead}, IDs: []string{id}}
	page, err := b.List(ctx, s, "", 1)
	switch {
	case err != nil:
		return found, err
	case len(page.Messages) == 0:
		return found, fmt.Errorf("%.100q: %w among the dead letters, which are all that RabbitMQ shows", id, broker.ErrNoMessage)
	}
	return page.Messages[0], nil
}

// Counts implements [broker.Counter] for dead letters.
func (b *Broker) Counts(ctx context.Context, s broker.Selection) ([]broker.Count, error) {
	var counts []broker.Count
	note := func(m broker.Stored) {
		i := slices.IndexFunc(counts, func(c broker.Count) bool {
			return c.Queue == m.Message.Queue && c.Task == m.Message.Task && c.Schema == m.Message.Schema
		})
		if i < 0 {
			i = len(counts)
			counts = append(counts, broker.Count{
				Queue: m.Message.Queue, Task: m.Message.Task, Schema: m.Message.Schema, State: m.State, Oldest: m.At, Latest: m.At,
			})
		}
		c := &counts[i]
		c.Messages++
		if m.At.Before(c.Oldest) {
			c.Oldest = m.At
		}
		if m.At.After(c.Latest) {
			c.Latest = m.At
		}
	}
	err := b.eachQueue(ctx, s, func(on *session, queue string) error {
		return b.eachDead(ctx, on, queue, s, note)
	}, func() { counts = nil })
	slices.SortFunc(counts, func(a, b broker.Count) int {
		return cmp.Or(cmp.Compare(a.Queue, b.Queue), cmp.Compare(a.Task, b.Task), cmp.Compare(a.Schema, b.Schema))
	})
	return counts, err
}

// eachQueue calls f for each queue of which dead letters may be selected. When it has
// to begin anew, on another connection, it calls anew before.
func (b *Broker) eachQueue(ctx context.Context, s broker.Selection, f func(on *session, queue string) error, anew func()) error {
	if err := onlyDead(s.States...); err != nil {
		return err
	}
	return b.change(ctx, func(on *session) error {
		anew()
		queues, err := b.registered(ctx, on)
		if err != nil {
			return err
		}
		for _, q := range queues {
			if !s.HasQueue(q) {
				continue
			}
			if err := f(on, q); err != nil {
				return err
			}
		}
		return nil
	})
}

// eachDead calls f for each selected dead letter of a queue.
func (b *Broker) eachDead(ctx context.Context, on *session, queue string, s broker.Selection, f func(broker.Stored)) error {
	return b.browse(ctx, on, b.topology.queue(classDead, queue), maxBrowse, arrivalGap, func(ds []*wire.Delivery) ([]uint64, error) {
		for _, d := range ds {
			if m := storedDead(d, queue); s.Matches(m) {
				f(m)
			}
		}
		return nil, nil
	})
}

// A place is behind a dead letter in a list.
type place struct {
	queue string
	at    time.Time
	id    string
}

func placeOf(m broker.Stored) place { return place{m.Message.Queue, m.At, m.Message.ID} }

func (p place) compare(q place) int {
	return cmp.Or(cmp.Compare(p.queue, q.queue), p.at.Compare(q.at), cmp.Compare(p.id, q.id))
}

// before reports whether a dead letter comes after the place.
func (p place) before(m broker.Stored) bool { return p == place{} || p.compare(placeOf(m)) < 0 }

// cursor returns the place as a caller keeps it.
func (p place) cursor() broker.Cursor {
	return broker.Cursor(p.at.UTC().Format(time.RFC3339Nano) + "," + p.queue + "," + p.id)
}

// parsePlace returns the place of a cursor, the zero one for the beginning.
func parsePlace(c broker.Cursor) (place, error) {
	if c == "" {
		return place{}, nil
	}
	text, rest, _ := strings.Cut(string(c), ",")
	queue, id, ok := strings.Cut(rest, ",") // no queue has a comma
	at, err := time.Parse(time.RFC3339Nano, text)
	if !ok || err != nil {
		return place{}, fmt.Errorf("cursor %.60q is not one of this broker; begin without a cursor", string(c))
	}
	return place{queue, at, id}, nil
}
