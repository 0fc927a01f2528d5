package dtask_test

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

// outcome prints what becomes of an attempt that returns err.
func outcome(err error) {
	w := dtasktest.NewWorker(t, dtask.Table{SendWelcomeTask.Bind(
		func(context.Context, SendWelcomeArgs) (dtask.None, error) { return dtask.None{}, err },
	)})
	if _, err := DelaySendWelcome(w.Context(context.Background()), SendWelcomeArgs{}); err != nil {
		fmt.Println(err)
	}
	step, _ := w.Step()
	fmt.Println(step.Outcome.Kind, step.Outcome.In, step.Outcome.Err)
}

// The server says when to come again.
func ExampleRetryAfter() {
	outcome(dtask.RetryAfter(time.Minute, errors.New("429 too many requests")))
	// Output: retried 1m0s 429 too many requests
}

// What the task waits for is not there yet. That costs no attempt.
func ExampleSnooze() {
	outcome(dtask.Snooze(time.Minute))
	// Output: snoozed 1m0s snooze for 1m0s
}

// The last failure of a task that is dead comes out of Wait.
func ExampleTaskError() {
	w := dtasktest.NewWorker(t, dtask.Table{SendWelcomeTask.Bind(
		func(context.Context, SendWelcomeArgs) (dtask.None, error) {
			return dtask.None{}, dtask.Permanent(errors.New("550 no such user"))
		},
	)})
	ctx := w.Context(context.Background())
	h, err := DelaySendWelcome(ctx, SendWelcomeArgs{To: "nobody@example.org"}, dtask.Keep(time.Hour))
	if err != nil {
		fmt.Println(err)
	}
	w.Drain()
	_, err = h.Wait(ctx)
	var failed *dtask.TaskError
	if errors.As(err, &failed) {
		fmt.Println(failed.Task, failed.Failure.Attempt, failed.Failure.Error)
	}
	// Output: mail.SendWelcome 1 550 no such user
}

// A panic is a failed attempt. The other tasks of the worker go on.
func ExamplePanicError() {
	w := dtasktest.NewWorker(t, dtask.Table{SendWelcomeTask.Bind(
		func(context.Context, SendWelcomeArgs) (dtask.None, error) { panic("no letters left") },
	)})
	if _, err := DelaySendWelcome(w.Context(context.Background()), SendWelcomeArgs{}); err != nil {
		fmt.Println(err)
	}
	step, _ := w.Step()
	var panicked *dtask.PanicError
	fmt.Println(step.Outcome.Kind, errors.As(step.Outcome.Err, &panicked), panicked.Value)
	// Output: retried true no letters left
}

// A worker runs until its context ends, and counts what became of the tasks.
func ExampleWorker_Run() {
	ctx, stop := context.WithCancel(dtask.NewContext(context.Background(), client))
	h, err := DelaySendWelcome(ctx, SendWelcomeArgs{To: "gopher@example.org"}, dtask.Queue("hello"), dtask.Keep(time.Hour))
	if err != nil {
		fmt.Println(err)
	}
	worker, err := dtask.NewWorker(client, dtask.WorkerConfig{Queues: map[string]int{"hello": 4}}, Tasks())
	if err != nil {
		fmt.Println(err)
	}
	stopped := make(chan error)
	go func() { stopped <- worker.Run(ctx) }()

	if _, err := h.Wait(ctx); err != nil {
		fmt.Println(err)
	}
	stop()
	fmt.Println(<-stopped, worker.Stats().Done)
	// Output:
	// welcome, gopher@example.org
	// <nil> 1
}

// A command line runs one task, here and now, with its arguments as JSON.
func ExampleBoundTask_Run() {
	result, err := Tasks()[0].Run(context.Background(), []byte(`{"to":"gopher@example.org"}`))
	fmt.Println(string(result), err)
	_, err = Tasks()[0].Run(context.Background(), []byte(`{"recipient":"gopher@example.org"}`))
	fmt.Println(errors.Is(err, dtask.ErrArguments))
	// Output:
	// welcome, gopher@example.org
	// {} <nil>
	// true
}
