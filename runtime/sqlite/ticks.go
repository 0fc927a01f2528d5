package sqlite

import (
	"context"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
)

var _ broker.TickStore = (*Broker)(nil)

const lastTick = "SELECT tick FROM dtask_schedules WHERE name = ?"

// LastTick implements [broker.TickStore].
func (b *Broker) LastTick(ctx context.Context, schedule string) (tick time.Time, err error) {
	err = b.read(ctx, func(c *conn) error {
		ms, err := c.int(lastTick, schedule)
		if ms != 0 {
			tick = time.UnixMilli(ms)
		}
		return err
	})
	return tick, err
}

// Tick implements [broker.TickStore]. Times are compared by the millisecond.
func (b *Broker) Tick(ctx context.Context, schedule string, from, to time.Time, m *broker.Message) (bool, error) {
	in := insertOf(nil)
	if m != nil {
		if in = insertOf([]*broker.Message{m}); in.errs[0] != nil {
			return false, in.errs[0]
		}
	}
	expected := int64(0)
	if !from.IsZero() {
		expected = from.UnixMilli()
	}
	ticked := false // the writer's, until do returns without an error
	err := b.writer.do(ctx, func(c *conn) error {
		ticked = false
		last, err := c.int(lastTick, schedule)
		if err != nil || last != expected {
			return err
		}
		if _, err := c.exec("INSERT INTO dtask_schedules (name, tick) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET tick = excluded.tick", schedule, to.UnixMilli()); err != nil {
			return err
		}
		// A message that has the id already is this tick's.
		if err := b.writer.store(in.appendTo(nil), false, time.Now()); err != nil {
			return err
		}
		ticked = true
		return nil
	})
	if err != nil {
		return false, err
	}
	return ticked, nil
}
