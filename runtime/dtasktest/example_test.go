package dtasktest_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/dtaskhq/dtask/runtime/dtask"
	"github.com/dtaskhq/dtask/runtime/dtasktest"
)

// t stands for the *testing.T of a test.
var t = new(testing.T)

// placeOrder is the code under test: it delays a task.
func placeOrder(ctx context.Context, order int64) error {
	_, err := invoiceTask.Delay(ctx, invoiceArgs{Order: order}) // generated: DelayInvoice(ctx, InvoiceArgs{…})
	return err
}

func ExampleDelayed() {
	rec := dtasktest.NewRecorder()
	if err := placeOrder(rec.Context(context.Background()), 7); err != nil {
		fmt.Println(err)
	}
	fmt.Println(dtasktest.Delayed(t, rec, invoiceTask))
	// Output: [{7}]
}

func ExampleWorker() {
	tries := 0
	w := dtasktest.NewWorker(t, invoiceTable(func(context.Context, int64) error { // generated: shop.Tasks()
		if tries++; tries == 1 {
			return dtask.RetryAfter(time.Hour, errors.New("printer on fire"))
		}
		return nil
	}))
	if err := placeOrder(w.Context(context.Background()), 7); err != nil {
		fmt.Println(err)
	}
	s, _ := w.Step()
	fmt.Println(s.Outcome.Kind, s.Outcome.Err, s.Outcome.In)
	w.Advance(time.Hour)
	s, _ = w.Step()
	fmt.Println(s.Outcome.Kind)
	// Output:
	// retried printer on fire 1h0m0s
	// done
}

// An inline client runs tasks within Delay.
func ExampleNewInline() {
	client := dtasktest.NewInline(invoiceTable(func(_ context.Context, order int64) error { // generated: shop.Tasks()
		fmt.Println("invoice for order", order)
		return nil
	}))
	if err := placeOrder(dtask.NewContext(context.Background(), client), 7); err != nil {
		fmt.Println(err)
	}
	// Output: invoice for order 7
}
