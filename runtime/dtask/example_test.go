package dtask_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"time"

	"github.com/dtaskhq/dtask/runtime/dtask"
	_ "github.com/dtaskhq/dtask/runtime/sqlite"
)

// What dtaskgen writes for
//
//	//dtask:task queue=mail retries=5 timeout=30s
//	func SendWelcome(ctx context.Context, to string) error
//
// stands here by hand, for the examples to be complete.
type SendWelcomeArgs struct {
	To string `json:"to"`
}

var SendWelcomeTask = dtask.Define[SendWelcomeArgs, dtask.None]("mail.SendWelcome", dtask.Spec{
	Queue: "mail", Retries: 5, Timeout: 30 * time.Second, Backoff: time.Second, Schema: "29a6f3b1",
})

func DelaySendWelcome(ctx context.Context, args SendWelcomeArgs, opts ...dtask.Option) (dtask.Handle[dtask.None], error) {
	return SendWelcomeTask.Delay(ctx, args, opts...)
}

func Tasks() dtask.Table {
	return dtask.Table{SendWelcomeTask.Bind(func(ctx context.Context, args SendWelcomeArgs) (dtask.None, error) {
		return dtask.None{}, SendWelcome(ctx, args.To)
	})}
}

// SendWelcome is the user's function.
func SendWelcome(_ context.Context, to string) error {
	fmt.Println("welcome,", to)
	return nil
}

// A web application opens one client at start, and handlers delay their work.
func Example() {
	client, err := dtask.Open(context.Background(), "sqlite:tasks.db") // or amqp://…
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	defer client.Close()
	dtask.SetDefault(client)

	http.HandleFunc("POST /signup", func(w http.ResponseWriter, r *http.Request) {
		if _, err := DelaySendWelcome(r.Context(), SendWelcomeArgs{To: r.FormValue("mail")}); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
		}
	})
}

// A worker runs until its context ends, then stops in good order.
func ExampleWorker() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	client, err := dtask.Open(ctx, os.Getenv("DTASK_URL"))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	defer client.Close()
	worker, err := dtask.NewWorker(client, dtask.WorkerConfig{Concurrency: 20}, Tasks())
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if err := worker.Run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// An inline client runs tasks within Delay: for tests and scripts.
func ExampleNewInline() {
	ctx := dtask.NewContext(context.Background(), dtask.NewInline(Tasks()))
	if _, err := DelaySendWelcome(ctx, SendWelcomeArgs{To: "gopher@example.org"}); err != nil {
		fmt.Println(err)
	}
	// Output: welcome, gopher@example.org
}

func ExampleDelay() {
	ctx := dtask.NewContext(context.Background(), dtask.NewInline(Tasks()))
	_, err := DelaySendWelcome(ctx, SendWelcomeArgs{To: "gopher@example.org"},
		dtask.Delay(10*time.Minute), dtask.Priority(dtask.PriorityLow), dtask.Retries(1))
	fmt.Println(err)
	// Output:
	// welcome, gopher@example.org
	// <nil>
}

func ExampleDelayMany() {
	ctx := dtask.NewContext(context.Background(), dtask.NewInline(Tasks()))
	handles, err := dtask.DelayMany(ctx, SendWelcomeTask, []SendWelcomeArgs{{To: "a@example.org"}, {To: "b@example.org"}})
	var batch *dtask.BatchError
	if errors.As(err, &batch) {
		for i, err := range batch.Errs {
			if err != nil {
				fmt.Println(handles[i].ID, "is not enqueued:", err)
			}
		}
	}
	// Output:
	// welcome, a@example.org
	// welcome, b@example.org
}

// The result of a task that returns one can be waited for, by any process that
// has the id.
func ExampleHandle_Wait() {
	// Generated for: func CountWords(ctx context.Context, text string) (int, error)
	type CountWordsArgs struct {
		Text string `json:"text"`
	}
	CountWordsTask := dtask.Define[CountWordsArgs, int]("text.CountWords", dtask.Spec{Queue: "text", Keep: time.Hour})
	ctx := dtask.NewContext(context.Background(), dtask.NewInline(dtask.Table{
		CountWordsTask.Bind(func(_ context.Context, args CountWordsArgs) (int, error) { return len(args.Text), nil }),
	}))

	h, err := CountWordsTask.Delay(ctx, CountWordsArgs{Text: "four"})
	if err != nil {
		fmt.Println(err)
	}
	fmt.Println(CountWordsTask.Handle(h.ID).Wait(ctx))
	// Output: 4 <nil>
}

// The error of a task steers what follows.
func ExamplePermanent() {
	charge := func(card string) error { return errors.New("402 payment required") }
	task := func(_ context.Context, card string) error {
		switch err := charge(card); {
		case card == "":
			return dtask.Permanent(err) // to the dead letters at once
		case err != nil:
			return dtask.RetryAfter(time.Hour, err) // instead of the backoff
		}
		return dtask.Snooze(time.Minute) // again, and no attempt spent
	}
	fmt.Println(task(context.Background(), ""))
	// Output: 402 payment required
}
