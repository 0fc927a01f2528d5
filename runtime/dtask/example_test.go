package dtask_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"time"

	"github.com/dtaskhq/dtask/runtime/dtask"
	"github.com/dtaskhq/dtask/runtime/dtasktest"
	_ "github.com/dtaskhq/dtask/runtime/sqlite"
)

// To make the examples complete, this is by hand what dtaskgen writes for
//
//	//dtask:task queue=mail retries=5 timeout=30s
//	func SendWelcome(ctx context.Context, to string) error
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

// Middleware of a worker sees each message that is delivered. Here it measures the
// time of the tasks, by their names and outcomes.
func ExampleMiddleware() {
	timing := func(next dtask.HandleFunc) dtask.HandleFunc {
		return func(ctx context.Context, m *dtask.Message) dtask.Outcome {
			start := time.Now()
			o := next(ctx, m)
			metrics.Observe(m.Task, o.Kind.String(), time.Since(start))
			return o
		}
	}
	worker, err := dtask.NewWorker(client, dtask.WorkerConfig{Middleware: []dtask.Middleware{timing}}, Tasks())
	fmt.Println(worker != nil, err)
	// Output: true <nil>
}

// Middleware of a client adds a header to every message.
func ExampleEnqueueMiddleware() {
	recorder := dtasktest.NewRecorder()
	tenant := func(next dtask.EnqueueFunc) dtask.EnqueueFunc {
		return func(ctx context.Context, ms []*dtask.Message) []error {
			for _, m := range ms {
				m.SetHeader("tenant", "acme")
			}
			return next(ctx, ms)
		}
	}
	client := recorder.Client().With(tenant)
	if _, err := DelaySendWelcome(dtask.NewContext(context.Background(), client), SendWelcomeArgs{To: "gopher@example.org"}); err != nil {
		fmt.Println(err)
	}
	fmt.Println(recorder.Messages()[0].Headers)
	// Output: map[tenant:acme]
}

// An operator retries the dead letters.
func ExampleClient_Admin() {
	ctx := context.Background()
	admin, err := client.Admin()
	if err != nil {
		fmt.Println(err)
		return
	}
	dead, err := admin.DeadLetters(ctx, "mail", 100)
	for _, m := range dead {
		fmt.Println(m.ID, m.Task, m.Failures)
	}
	retried, err := admin.RetryDead(ctx, "mail")
	fmt.Println(retried, "retried", err)
	// Output: 0 retried <nil>
}

func ExampleIn() {
	ctx := dtask.NewContext(context.Background(), dtasktest.NewInline(Tasks()))
	_, err := DelaySendWelcome(ctx, SendWelcomeArgs{To: "gopher@example.org"},
		dtask.In(10*time.Minute), dtask.Priority(dtask.PriorityLow), dtask.Retries(1))
	fmt.Println(err)
	// Output:
	// welcome, gopher@example.org
	// <nil>
}

func ExampleDelayMany() {
	ctx := dtask.NewContext(context.Background(), dtasktest.NewInline(Tasks()))
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
	ctx := dtask.NewContext(context.Background(), dtasktest.NewInline(dtask.Table{
		CountWordsTask.Bind(func(_ context.Context, args CountWordsArgs) (int, error) { return len(args.Text), nil }),
	}))

	h, err := CountWordsTask.Delay(ctx, CountWordsArgs{Text: "four"})
	if err != nil {
		fmt.Println(err)
	}
	fmt.Println(CountWordsTask.Handle(h.ID).Wait(ctx))
	// Output: 4 <nil>
}

// The error of a task decides what happens next.
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

// A task asks which attempt it is, and passes the client on to what it delays.
func ExampleInfoFromContext() {
	task := func(ctx context.Context) {
		info, ok := dtask.InfoFromContext(ctx)
		fmt.Println(info.Attempt, ok)
	}
	task(context.Background()) // a direct call
	// Output: 0 false
}

// A client, its broker and its workers log to one logger.
func ExampleWithLogger() {
	log := slog.New(slog.NewJSONHandler(os.Stderr, nil))
	client, err := dtask.Open(context.Background(), os.Getenv("DTASK_URL"), dtask.WithLogger(log))
	if err != nil {
		log.Error("no broker", "err", err)
		os.Exit(1)
	}
	defer client.Close()
}

// A Delay with an id of its own can be repeated, where the broker refuses the
// second message.
func ExampleIgnoreDuplicate() {
	ctx := dtask.NewContext(context.Background(), client)
	for range 2 {
		h, err := DelaySendWelcome(ctx, SendWelcomeArgs{To: "gopher@example.org"},
			dtask.ID("welcome-7"), dtask.IgnoreDuplicate(), dtask.In(time.Hour))
		fmt.Println(h.ID, err)
	}
	// Output:
	// welcome-7 <nil>
	// welcome-7 <nil>
}

// People read and type the end of a name that no other task of the program has.
func ExampleTable_ShortNames() {
	type none = dtask.None
	send := dtask.Define[none, none]("github.com/acme/shop/mail.Send", dtask.Spec{Queue: "mail"})
	crop := dtask.Define[none, none]("github.com/acme/shop/images.Crop", dtask.Spec{Queue: "images"})
	short := dtask.Table{send.Bind(nil), crop.Bind(nil)}.ShortNames()
	fmt.Println(short[send.Name()], short[crop.Name()])
	// Output: mail.Send images.Crop
}

// A program with a clock of its own enqueues a periodic task for a tick. However
// many processes do, one message is enqueued.
func ExampleClient_Tick() {
	ctx := context.Background()
	purge := dtask.Define[dtask.None, dtask.None]("mail.PurgeBounces", dtask.Spec{Queue: "mail", Cron: "0 3 * * *"}).
		Bind(func(context.Context, dtask.None) (dtask.None, error) { return dtask.None{}, nil })
	var never time.Time
	night := time.Date(2026, 11, 1, 3, 0, 0, 0, time.UTC)
	for range 2 {
		_, ticked, err := client.Tick(ctx, purge, never, night)
		fmt.Println(ticked, err)
	}
	// Output:
	// true <nil>
	// false <nil>
}

// client stands for the client of an application; TestMain opens it.
var client *dtask.Client

// metrics stands for those of an application.
var metrics observer

type observer struct{}

func (observer) Observe(task, outcome string, took time.Duration) {}
