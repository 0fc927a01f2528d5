package operate

import (
	"cmp"
	"context"
	"iter"
	"slices"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// Journal returns what became of messages in the minutes since a time, sorted by
// minute, queue and task. The minutes are those of the workers' clocks.
func (o *Operator) Journal(ctx context.Context, since time.Time) ([]broker.Tally, error) {
	journal, err := broker.As[broker.Journal](o.broker)
	if err != nil {
		return nil, err
	}
	return journal.Tallies(ctx, since.Truncate(time.Minute))
}

// Acts returns what operators have changed since a time, oldest first.
func (o *Operator) Acts(ctx context.Context, since time.Time) ([]broker.Act, error) {
	journal, err := broker.As[broker.Journal](o.broker)
	if err != nil {
		return nil, err
	}
	return journal.Acts(ctx, since)
}

// Sum adds up tallies of the same queue and task, and returns a sum for each, sorted
// by queue and task. The minute of a sum is the first one.
func Sum(ts []broker.Tally) []broker.Tally {
	type key struct{ queue, task string }
	sums := make(map[key]*broker.Tally)
	for i := range ts {
		t := &ts[i]
		k := key{t.Queue, t.Task}
		if sums[k] == nil {
			sums[k] = &broker.Tally{Minute: t.Minute, Queue: t.Queue, Task: t.Task}
		}
		sums[k].Add(t)
	}
	var list []broker.Tally
	for _, s := range sums {
		list = append(list, *s)
	}
	slices.SortFunc(list, func(a, b broker.Tally) int { return cmp.Or(cmp.Compare(a.Queue, b.Queue), cmp.Compare(a.Task, b.Task)) })
	return list
}

const (
	// followEvery is how often Follow looks.
	followEvery = 2 * time.Second

	// followBack is how old the minutes may get of which Follow still expects news:
	// clocks differ, and a worker that was cut off writes late.
	followBack = 30 * time.Minute
)

// Follow yields what is added to the journal from now on, as tallies of what is new,
// until ctx ends, which is no error. It looks every two seconds. After an error it goes
// on if the caller does: the broker may come back.
func (o *Operator) Follow(ctx context.Context) iter.Seq2[broker.Tally, error] {
	return func(yield func(broker.Tally, error) bool) {
		var known map[minuteOf]broker.Tally
		for {
			ts, err := o.Journal(ctx, time.Now().Add(-followBack))
			if ctx.Err() != nil || err != nil && !yield(broker.Tally{}, err) {
				return
			}
			if err == nil {
				seen := make(map[minuteOf]broker.Tally, len(ts))
				for _, t := range ts {
					k := minuteOf{t.Minute.Unix(), t.Queue, t.Task}
					seen[k] = t
					if known == nil {
						continue
					}
					if news := added(known[k], t); news.Messages() > 0 && !yield(news, nil) {
						return
					}
				}
				known = seen
			}
			select {
			case <-time.After(followEvery):
			case <-ctx.Done():
				return
			}
		}
	}
}

type minuteOf struct {
	minute      int64
	queue, task string
}

// added returns what a tally has that it did not have before.
func added(before, now broker.Tally) broker.Tally {
	t := now
	t.Done -= before.Done
	t.Retried -= before.Retried
	t.Dead -= before.Dead
	t.Snoozed -= before.Snoozed
	t.HandedBack -= before.HandedBack
	t.Cancelled -= before.Cancelled
	t.Waited = now.Waited.Minus(before.Waited)
	t.Ran = now.Ran.Minus(before.Ran)
	t.Failures, t.OtherFailures = nil, 0
	for _, f := range now.Failures {
		i := slices.IndexFunc(before.Failures, func(b broker.TallyFailure) bool { return b.Alike(f) })
		if i >= 0 {
			f.Messages -= before.Failures[i].Messages
		}
		if f.Messages > 0 {
			t.Failures = append(t.Failures, f)
		}
	}
	return t
}
