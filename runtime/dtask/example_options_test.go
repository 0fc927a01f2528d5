package dtask_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/dtaskhq/dtask/runtime/dtask"
	"github.com/dtaskhq/dtask/runtime/dtasktest"
)

// A reminder is sent tomorrow at noon. dtasktest has a clock that tests move.
func ExampleAt() {
	w := dtasktest.NewWorker(t, Tasks())
	noon := w.Now().Add(24 * time.Hour).Truncate(24 * time.Hour).Add(12 * time.Hour)
	if _, err := DelaySendWelcome(w.Context(context.Background()), SendWelcomeArgs{To: "a@example.org"}, dtask.At(noon)); err != nil {
		fmt.Println(err)
	}
	_, ran := w.Step()
	fmt.Println("today:", ran)
	w.Advance(noon.Sub(w.Now()))
	w.Step()
	// Output:
	// today: false
	// welcome, a@example.org
}

// An offer that nobody has mailed within an hour is not worth mailing.
func ExampleExpires() {
	w := dtasktest.NewWorker(t, Tasks())
	_, err := DelaySendWelcome(w.Context(context.Background()), SendWelcomeArgs{To: "a@example.org"},
		dtask.Expires(w.Now().Add(time.Hour)))
	if err != nil {
		fmt.Println(err)
	}
	w.Advance(2 * time.Hour)
	step, _ := w.Step()
	fmt.Println(step.Outcome.Kind, len(w.DeadLetters()))
	// Output: dead 1
}

// What a call may choose for its own message.
func ExampleOption() {
	recorder := dtasktest.NewRecorder()
	_, err := DelaySendWelcome(recorder.Context(context.Background()), SendWelcomeArgs{To: "a@example.org"},
		dtask.ID("welcome-7"),
		dtask.Queue("bulk"),
		dtask.Priority(dtask.PriorityLow),
		dtask.Retries(2),
		dtask.Keep(time.Hour),
		dtask.Header("tenant", "acme"))
	if err != nil {
		fmt.Println(err)
	}
	m := recorder.Messages()[0]
	fmt.Println(m.ID, m.Queue, m.Priority == dtask.PriorityLow, m.Attempts, m.Keep, m.Headers["tenant"])
	// Output: welcome-7 bulk true 3 1h0m0s acme
}

// The client may travel in the context, as in tests and with several brokers.
func ExampleNewContext() {
	recorder := dtasktest.NewRecorder()
	ctx := dtask.NewContext(context.Background(), recorder.Client())
	if _, err := DelaySendWelcome(ctx, SendWelcomeArgs{To: "a@example.org"}); err != nil {
		fmt.Println(err)
	}
	fmt.Println(len(recorder.Messages()), "enqueued")
	// Output: 1 enqueued
}

// Of a batch, some may be refused: here one that is too large.
func ExampleBatchError() {
	ctx := dtask.NewContext(context.Background(), dtasktest.NewInline(Tasks()))
	_, err := dtask.DelayMany(ctx, SendWelcomeTask, []SendWelcomeArgs{
		{To: "a@example.org"},
		{To: strings.Repeat("b", dtask.MaxBodySize)},
	})
	var batch *dtask.BatchError
	if errors.As(err, &batch) {
		fmt.Println(batch.Errs[0], errors.Is(batch.Errs[1], dtask.ErrTooLarge))
	}
	// Output:
	// welcome, a@example.org
	// <nil> true
}
