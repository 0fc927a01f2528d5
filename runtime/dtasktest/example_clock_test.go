package dtasktest_test

import (
	"context"
	"fmt"
	"time"

	"github.com/dtaskhq/dtask/runtime/dtask"
	"github.com/dtaskhq/dtask/runtime/dtasktest"
)

// A client with a clock of the test: messages carry its time.
func ExampleWithClock() {
	newYear := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	recorder := dtasktest.NewRecorder()
	client := dtasktest.WithClock(recorder.Client(), func() time.Time { return newYear })
	if err := placeOrder(dtask.NewContext(context.Background(), client), 7); err != nil {
		fmt.Println(err)
	}
	fmt.Println(recorder.Messages()[0].EnqueuedAt.Format(time.DateOnly))
	// Output: 2027-01-01
}

// All that is due is run, and what the tasks delay as well.
func ExampleWorker_Drain() {
	w := dtasktest.NewWorker(t, invoiceTable(func(context.Context, int64) error { return nil }))
	for order := range int64(3) {
		if err := placeOrder(w.Context(context.Background()), order); err != nil {
			fmt.Println(err)
		}
	}
	fmt.Println(len(w.Drain()), "done,", len(w.Messages()), "left")
	// Output: 3 done, 0 left
}
