package postgres

import (
	"context"
	"encoding/json"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/internal/orders"
)

var _ broker.Commander = (*Broker)(nil)

// orderly passes orders on to the processes that listen through this broker.
type orderly struct {
	b         *Broker
	listeners orders.Listeners
	once      sync.Once
	change    chan struct{} // 1: there may be orders
}

const (
	// ordersKept is for how long an order waits for its process, in milliseconds.
	ordersKept = int64(time.Minute / time.Millisecond)

	// ordersEvery is how often orders are looked for, whatever was notified.
	ordersEvery = time.Second

	deleteOrders = "DELETE FROM dtask_orders WHERE at < statement_timestamp() - $1 * interval '1 millisecond'"
	insertOrder  = "INSERT INTO dtask_orders (process, entry) VALUES ($1, $2)"
	selectOrders = "SELECT seq, process, entry FROM dtask_orders ORDER BY seq"
)

// Order implements [broker.Commander]. Operators wait for each other, so that orders can
// be seen in the order of their numbers.
func (b *Broker) Order(ctx context.Context, process string, o broker.Order) error {
	if err := o.Validate(); err != nil {
		return err
	}
	entry, err := json.Marshal(o)
	if err != nil {
		return err
	}
	err = b.transact(ctx, func(ctx context.Context, tx pgx.Tx) error {
		if err := b.alone(ctx, tx, "orders"); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, b.in(deleteOrders), ordersKept); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, b.in(insertOrder), process, string(entry))
		return err
	})
	if err == nil {
		b.orderly.look()
		b.notifier.notify(ordersTopic)
	}
	return err
}

// alone waits until no other transaction does something for the same purpose.
func (b *Broker) alone(ctx context.Context, tx pgx.Tx, purpose string) error {
	_, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock($1)", b.hash(purpose))
	return err
}

// Orders implements [broker.Commander].
func (b *Broker) Orders(ctx context.Context, process string, obey func(broker.Order)) error {
	listening, cancel := context.WithCancel(ctx)
	b.orderly.listeners.Enter(listening, process, obey)
	if err := b.call(ctx, b.orderly.read); err != nil {
		cancel()
		return err
	}
	context.AfterFunc(ctx, cancel)
	b.listener.start()
	b.orderly.once.Do(func() { b.goes(b.orderly.run) })
	return nil
}

// look makes the goroutine look.
func (o *orderly) look() {
	select {
	case o.change <- struct{}{}:
	default:
	}
}

// run looks for orders as long as there are listeners.
func (o *orderly) run(ctx context.Context) {
	tick := time.NewTicker(ordersEvery)
	defer tick.Stop()
	for {
		select {
		case <-o.change:
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		if !o.listeners.Any() {
			continue
		}
		if err := o.b.try(ctx, o.read); err != nil && ctx.Err() == nil {
			o.b.complain(err)
		}
	}
}

// read passes on the orders that are there. There are few.
func (o *orderly) read(ctx context.Context, q querier) error {
	r, err := q.Query(ctx, o.b.in(selectOrders))
	return rows(r, err, func(r pgx.Rows) error {
		var number int64
		var process, entry string
		if err := r.Scan(&number, &process, &entry); err != nil {
			return err
		}
		var order broker.Order
		if json.Unmarshal([]byte(entry), &order) == nil {
			o.listeners.Pass(process, number, order)
		}
		return nil
	})
}
