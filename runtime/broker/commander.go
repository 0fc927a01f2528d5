package broker

import (
	"context"
	"fmt"
)

// A Commander is the capability to give orders to processes of the [Registry].
type Commander interface {
	// Order gives an order to the process with an id. It returns when the order is on
	// its way. Whether it was obeyed says the entry of the process; if not, it may be
	// given again. An order for a process that is not there has no effect.
	Order(ctx context.Context, process string, o Order) error

	// Orders calls obey for every order to a process, one at a time, until ctx ends.
	// It returns when the process can be reached. An order may come twice, and a lost
	// connection may lose one.
	Orders(ctx context.Context, process string, obey func(Order)) error
}

// An Order is what an operator wants of a process. To obey it twice is the same as
// once.
type Order struct {
	Kind        OrderKind `json:"kind"`
	Queue       string    `json:"queue,omitempty"`
	Concurrency int       `json:"concurrency,omitempty"`
	Schedule    string    `json:"schedule,omitempty"`
}

// An OrderKind is a kind of order.
type OrderKind string

// The kinds of orders.
const (
	OrderQuiet       OrderKind = "quiet"       // fetch no more, finish what runs, and stay
	OrderResume      OrderKind = "resume"      // end that
	OrderStop        OrderKind = "stop"        // stop, as at SIGTERM
	OrderConcurrency OrderKind = "concurrency" // run that many messages of the queue at once
	OrderReset       OrderKind = "reset"       // make now the newest tick of the schedule
)

// MaxConcurrency is how many messages of a queue a process may be told to run at once.
const MaxConcurrency = 10_000

// Validate reports what is wrong with an order, or nil.
func (o Order) Validate() error {
	switch o.Kind {
	case OrderQuiet, OrderResume, OrderStop:
		return nil
	case OrderConcurrency:
		if o.Concurrency < 1 || o.Concurrency > MaxConcurrency {
			return fmt.Errorf("concurrency %d: use 1 to %d; to run none, pause the queue", o.Concurrency, MaxConcurrency)
		}
		return ValidateQueue(o.Queue)
	case OrderReset:
		return validateTask(o.Schedule)
	}
	return fmt.Errorf("order %.20q is not known", o.Kind)
}
