package worker_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/dtaskhq/dtask/runtime/dtask"
	_ "github.com/dtaskhq/dtask/runtime/sqlite"
	"github.com/dtaskhq/dtask/runtime/worker"
)

// purgeTable is by hand what dtaskgen writes as mail.Tasks() for
//
//	//dtask:task queue=mail timeout=1m
//	func Purge(ctx context.Context, days int) error
func purgeTable() dtask.Table {
	type purgeArgs struct {
		Days int `json:"days"`
	}
	task := dtask.Define[purgeArgs, dtask.None]("github.com/acme/shop/mail.Purge",
		dtask.Spec{Queue: "mail", Retries: 5, Timeout: time.Minute, Backoff: time.Second})
	return dtask.Table{task.Bind(func(_ context.Context, args purgeArgs) (dtask.None, error) {
		fmt.Println("purged what is older than", args.Days, "days")
		return dtask.None{}, nil
	})}
}

// A program with commands of its own hands the rest to the worker.
func ExampleRun() {
	code := worker.Run([]string{"run", "mail.Purge", `{"days":30}`}, purgeTable())
	fmt.Println("exit code", code)
	// Output:
	// purged what is older than 30 days
	// exit code 0
}

// A program with a worker of its own has to enqueue its periodic tasks too.
func ExampleSchedule() {
	dir, err := os.MkdirTemp("", "shop")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel() // a program waits for a signal instead
	client, err := dtask.Open(ctx, "sqlite:"+filepath.Join(dir, "tasks.db"))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	w, err := dtask.NewWorker(client, dtask.WorkerConfig{Scheduled: true}, purgeTable())
	if err != nil {
		fmt.Println(err)
		return
	}
	ran := make(chan error, 1)
	go func() { ran <- w.Run(ctx) }()
	fmt.Println("schedule:", worker.Schedule(ctx, client, purgeTable()))
	fmt.Println("worker:", <-ran)
	// Output:
	// schedule: <nil>
	// worker: <nil>
}

// A program with middleware.
func ExampleProgram() {
	counting := func(next dtask.HandleFunc) dtask.HandleFunc {
		return func(ctx context.Context, m *dtask.Message) dtask.Outcome {
			return next(ctx, m)
		}
	}
	program := worker.Program{Middleware: []dtask.Middleware{counting}}
	program.Run([]string{"tasks"}, purgeTable())
	// Output:
	// TASK        QUEUE  RETRIES  TIMEOUT  BACKOFF  PRIORITY  SCHEDULE  SCHEMA
	// mail.Purge  mail   5        1m       1s       default   -         -
}
