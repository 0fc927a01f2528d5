package sqlite

import (
	"cmp"
	"context"
	"database/sql/driver"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// Queues implements [broker.Admin].
func (b *Broker) Queues(ctx context.Context) ([]broker.QueueState, error) {
	states := make(map[string]*broker.QueueState)
	state := func(queue driver.Value) *broker.QueueState {
		name, _ := queue.(string) // damage leaves it empty
		if states[name] == nil {
			states[name] = &broker.QueueState{Queue: name}
		}
		return states[name]
	}
	err := b.snapshotOn(ctx, &b.totals, func(c *conn) error {
		for _, q := range []struct {
			sql  string
			args []driver.Value
			note func(row []driver.Value)
		}{
			{
				"SELECT name FROM dtask_queues", nil,
				func(row []driver.Value) { state(row[0]) },
			},
			{
				selectPauses, nil,
				func(row []driver.Value) {
					if p := readPause(row); p.What == broker.PauseQueue && p.InForce(time.Now()) {
						s := state(p.Name)
						s.Paused, s.PausedUntil = true, p.Until
					}
				},
			},
			{
				"SELECT queue, count(*), sum(due > ?) FROM dtask_messages INDEXED BY dtask_waiting WHERE state = 0 AND quarantine = 0 GROUP BY queue",
				[]driver.Value{time.Now().UnixMilli()},
				func(row []driver.Value) {
					s, delayed := state(row[0]), int(row[2].(int64))
					s.Ready, s.Delayed = int(row[1].(int64))-delayed, delayed
				},
			},
			{
				"SELECT queue, count(*) FROM dtask_messages INDEXED BY dtask_quarantine WHERE state = 0 AND quarantine > 0 GROUP BY queue", nil,
				func(row []driver.Value) { state(row[0]).Ready += int(row[1].(int64)) },
			},
			{
				"SELECT queue, count(*) FROM dtask_messages INDEXED BY dtask_running WHERE state = 1 GROUP BY queue", nil,
				func(row []driver.Value) { state(row[0]).Running = int(row[1].(int64)) },
			},
			{
				"SELECT queue, count(*) FROM dtask_messages INDEXED BY dtask_dead WHERE state = 2 GROUP BY queue", nil,
				func(row []driver.Value) { state(row[0]).Dead = int(row[1].(int64)) },
			},
		} {
			if err := c.query(func(row []driver.Value) error { q.note(row); return nil }, q.sql, q.args...); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	var list []broker.QueueState
	for _, s := range slices.SortedFunc(maps.Values(states), func(a, b *broker.QueueState) int { return cmp.Compare(a.Queue, b.Queue) }) {
		list = append(list, *s)
	}
	return list, nil
}

// anyDue asks whether the next message of any class is due.
var anyDue = func() string {
	var parts []string
	for _, q := range queries {
		parts = append(parts, "("+strings.ReplaceAll(q.due, "?", "?1")+") <= ?2")
	}
	return "SELECT " + strings.Join(parts, " OR ")
}()

// Due implements [broker.Admin].
func (b *Broker) Due(ctx context.Context, queue string) (due bool, err error) {
	err = b.read(ctx, func(c *conn) error {
		n, err := c.int(anyDue, queue, time.Now().UnixMilli())
		due = n != 0
		return err
	})
	return due, err
}
