package brokertest

import (
	"context"
	"testing"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// An order reaches its process, in the order of the orders, and no other one; also if
// the process consumes nothing.
func testOrders(t *testing.T, store Store) {
	url := store(t)
	b, operator, stranger := open(t, url), open(t, url), open(t, store(t))
	ctx, leave := context.WithCancel(Context(t))
	defer leave()
	got := make(chan string, 10)
	listen := func(b broker.Broker, process string) {
		t.Helper()
		if err := as[broker.Commander](t, b).Orders(ctx, process, func(o broker.Order) { got <- process + " " + string(o.Kind) }); err != nil {
			t.Fatal(err)
		}
	}
	listen(b, "a")
	listen(b, "b")
	listen(operator, "c")
	listen(stranger, "a")
	order := func(process string, o broker.Order) {
		t.Helper()
		if err := as[broker.Commander](t, operator).Order(Context(t), process, o); err != nil {
			t.Fatal(err)
		}
	}
	order("nobody", broker.Order{Kind: broker.OrderStop})
	for _, step := range []struct {
		process string
		order   broker.Order
	}{
		{"b", broker.Order{Kind: broker.OrderQuiet}},
		{"a", broker.Order{Kind: broker.OrderConcurrency, Queue: "q", Concurrency: 3}},
		{"b", broker.Order{Kind: broker.OrderResume}},
		{"c", broker.Order{Kind: broker.OrderReset, Schedule: "pkg.Nightly"}},
	} {
		order(step.process, step.order)
		select {
		case text := <-got:
			if want := step.process + " " + string(step.order.Kind); text != want {
				t.Errorf("ordered %s, want %s", text, want)
			}
		case <-time.After(Patience):
			t.Fatalf("the order for %s does not come", step.process)
		}
	}
	for _, o := range []broker.Order{{}, {Kind: "dance"}, {Kind: broker.OrderConcurrency, Queue: "q"}, {Kind: broker.OrderReset}} {
		if err := as[broker.Commander](t, operator).Order(Context(t), "a", o); err == nil {
			t.Errorf("%+v is an order", o)
		}
	}
}
