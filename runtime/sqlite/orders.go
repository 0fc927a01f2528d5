package sqlite

import (
	"context"
	"encoding/json"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
)

var _ broker.Commander = (*Broker)(nil)

// ordersKept is for how long an order waits for its process.
const ordersKept = time.Minute

// Order implements [broker.Commander].
func (b *Broker) Order(ctx context.Context, process string, o broker.Order) error {
	if err := o.Validate(); err != nil {
		return err
	}
	entry, err := json.Marshal(o)
	if err != nil {
		return err
	}
	return b.writer.do(ctx, func(c *conn) error {
		now := time.Now()
		if _, err := c.exec("DELETE FROM dtask_orders WHERE at < ? OR at > ?", now.Add(-ordersKept).UnixMilli(), now.Add(ordersKept).UnixMilli()); err != nil {
			return err
		}
		_, err := c.exec("INSERT INTO dtask_orders (process, entry, at) VALUES (?, ?, ?)", process, string(entry), now.UnixMilli())
		return err
	})
}

// Orders implements [broker.Commander].
func (b *Broker) Orders(ctx context.Context, process string, obey func(broker.Order)) error {
	listening, cancel := context.WithCancel(ctx)
	b.writer.listeners.Enter(listening, process, obey)
	err := b.writer.do(ctx, func(*conn) error { return nil }) // after which the table is read
	if err != nil {
		cancel()
	}
	context.AfterFunc(ctx, cancel)
	return err
}
