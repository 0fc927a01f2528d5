package postgres

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/dtaskhq/dtask/runtime/broker"
)

var _ broker.Counter = (*Broker)(nil)

// Counts implements [broker.Counter]. All is of the moment of one statement, or of one
// transaction if the selection has a Where.
func (b *Broker) Counts(ctx context.Context, s broker.Selection) (list []broker.Count, err error) {
	if s.Where == nil {
		err = b.call(ctx, func(ctx context.Context, q querier) error {
			list, err = b.countAll(ctx, q, &s)
			return err
		})
	} else {
		list, err = b.countWhere(ctx, &s)
	}
	slices.SortFunc(list, func(a, b broker.Count) int {
		return cmp.Or(cmp.Compare(a.Queue, b.Queue), cmp.Compare(a.Task, b.Task), cmp.Compare(a.Schema, b.Schema),
			slices.Index(broker.States[:], a.State)-slices.Index(broker.States[:], b.State))
	})
	return list, err
}

func (b *Broker) countAll(ctx context.Context, q querier, s *broker.Selection) (list []broker.Count, err error) {
	var c conditions
	c.selects(s)
	state := fmt.Sprintf(stateOf, "statement_timestamp()")
	if len(s.States) > 0 {
		c.add("(" + state + ") = ANY (" + c.arg(states(s)) + "::text[])")
	}
	r, err := q.Query(ctx, b.in("SELECT queue, task, schema, "+state+", count(*), min(due), max(due) FROM dtask_messages"+c.where()+" GROUP BY 1, 2, 3, 4"), c.args...)
	err = rows(r, err, func(r pgx.Rows) error {
		var one broker.Count
		var state string
		err := r.Scan(&one.Queue, &one.Task, &one.Schema, &state, &one.Messages, &one.Oldest, &one.Latest)
		one.State = broker.State(state)
		list = append(list, one)
		return err
	})
	return list, err
}

func states(s *broker.Selection) (names []string) {
	for _, state := range s.States {
		names = append(names, string(state))
	}
	return names
}

// countWhere counts what a function selects: it has to see every message.
func (b *Broker) countWhere(ctx context.Context, s *broker.Selection) (list []broker.Count, err error) {
	type kind struct {
		queue, task, schema string
		state               broker.State
	}
	counts := make(map[kind]*broker.Count)
	err = b.transact(ctx, func(ctx context.Context, tx pgx.Tx) error {
		clear(counts)
		if _, err := tx.Exec(ctx, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"); err != nil {
			return err
		}
		for from := (*spot)(nil); ; {
			var page broker.Page
			if err := b.page(ctx, tx, s, from, step, &page); err != nil {
				return err
			}
			for _, m := range page.Messages {
				k := kind{m.Message.Queue, m.Message.Task, m.Message.Schema, m.State}
				c := counts[k]
				if c == nil {
					c = &broker.Count{Queue: k.queue, Task: k.task, Schema: k.schema, State: k.state, Oldest: m.At, Latest: m.At}
					counts[k] = c
				}
				c.Messages++
				if m.At.Before(c.Oldest) {
					c.Oldest = m.At
				}
				if m.At.After(c.Latest) {
					c.Latest = m.At
				}
			}
			if page.Next == "" {
				return nil
			}
			if from, err = parseSpot(page.Next); err != nil {
				return err
			}
		}
	})
	for _, c := range counts {
		list = append(list, *c)
	}
	return list, err
}
