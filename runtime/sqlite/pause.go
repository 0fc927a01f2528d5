package sqlite

import (
	"context"
	"database/sql/driver"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// Pause implements [broker.Admin].
func (b *Broker) Pause(ctx context.Context, queue string) error {
	if err := broker.ValidateQueue(queue); err != nil {
		return err
	}
	return b.setPaused(ctx, queue, 1)
}

// Resume implements [broker.Admin].
func (b *Broker) Resume(ctx context.Context, queue string) error { return b.setPaused(ctx, queue, 0) }

func (b *Broker) setPaused(ctx context.Context, queue string, paused int64) error {
	return b.writer.do(ctx, func(c *conn) error {
		_, err := c.exec("INSERT INTO dtask_queues (name, paused) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET paused = excluded.paused", queue, paused)
		return err
	})
}

// readPaused notes which queues are paused. What their consumers fetched ahead
// goes back.
func (w *writer) readPaused() {
	paused := make(map[string]bool)
	if err := w.conn.query(func(row []driver.Value) error {
		name, _ := row[0].(string)
		paused[name] = true
		return nil
	}, "SELECT name FROM dtask_queues WHERE paused <> 0"); err != nil {
		return
	}
	for _, c := range w.consumers {
		if c.paused = paused[c.queue]; c.paused {
			c.shed(0)
		}
	}
}
