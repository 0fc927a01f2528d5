package rabbitmq

import (
	"context"
	"sync/atomic"

	"github.com/dtaskhq/dtask/runtime/broker"
)

var _ broker.Commander = (*Broker)(nil)

// Order implements [broker.Commander]. The word goes to all processes, and gets lost
// where a connection does.
func (b *Broker) Order(ctx context.Context, process string, o broker.Order) error {
	if err := o.Validate(); err != nil {
		return err
	}
	return b.tell(ctx, word{Process: process, Order: &o})
}

// Orders implements [broker.Commander].
func (b *Broker) Orders(ctx context.Context, process string, obey func(broker.Order)) error {
	if _, err := ask(ctx, b, func(*session) (struct{}, error) { return struct{}{}, nil }); err != nil {
		return err
	}
	b.listeners.Enter(ctx, process, obey)
	return nil
}

// orderNumbers number the orders as they come.
var orderNumbers atomic.Int64
