package operate

import (
	"context"
	"iter"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/operate/selection"
)

// pageSize is how many messages are asked for at a time. Each may have a megabyte of
// arguments.
const pageSize = 500

// Messages yields the selected messages, in the order of the broker, or an error and
// then no more. A program that wants only a few says so by limit, which is more than
// none; 0 is for all.
func (o *Operator) Messages(ctx context.Context, s selection.Selection, limit int) iter.Seq2[broker.Stored, error] {
	return func(yield func(broker.Stored, error) bool) {
		var after broker.Cursor
		for left := limit; ; {
			size := pageSize
			if limit > 0 {
				size = min(size, left)
			}
			page, err := o.Page(ctx, s, after, size)
			if err != nil {
				yield(broker.Stored{}, err)
				return
			}
			for _, m := range page.Messages {
				if !yield(m, nil) {
					return
				}
			}
			left -= len(page.Messages)
			if after = page.Next; after == "" || limit > 0 && left == 0 {
				return
			}
		}
	}
}

// Page returns up to limit of the selected messages, those that follow after, as
// [broker.Lister] has it: a page may be short, or empty, and yet not the last.
func (o *Operator) Page(ctx context.Context, s selection.Selection, after broker.Cursor, limit int) (broker.Page, error) {
	lister, err := broker.As[broker.Lister](o.broker)
	if err != nil {
		return broker.Page{}, err
	}
	if err := o.check(s); err != nil {
		return broker.Page{}, err
	}
	return lister.List(ctx, s.Broker(time.Now()), after, limit)
}

// Message returns the message with an id. Its error wraps [broker.ErrNoMessage] if
// there is none.
func (o *Operator) Message(ctx context.Context, id string) (broker.Stored, error) {
	lister, err := broker.As[broker.Lister](o.broker)
	if err != nil {
		return broker.Stored{}, err
	}
	return lister.Stored(ctx, id)
}

// Counts counts the selected messages by queue, task, schema and state.
func (o *Operator) Counts(ctx context.Context, s selection.Selection) ([]broker.Count, error) {
	counter, err := broker.As[broker.Counter](o.broker)
	if err != nil {
		return nil, err
	}
	if err := o.check(s); err != nil {
		return nil, err
	}
	return counter.Counts(ctx, s.Broker(time.Now()))
}

// check reports what is wrong with the arguments in a selection, as far as the tasks of
// this program tell.
func (o *Operator) check(s selection.Selection) error {
	var known []selection.Known
	for _, t := range o.own {
		k := selection.Known{Names: append([]string{t.Name}, t.Spec.Was...), Schema: t.Spec.Schema}
		k.Fields, _ = t.Fields()
		known = append(known, k)
	}
	return s.Check(known)
}
