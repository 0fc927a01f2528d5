package worker_test

import (
	"context"
	"fmt"
	"time"

	"github.com/dtaskhq/dtask/runtime/dtask"
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

// A program with middleware.
func ExampleProgram() {
	counting := func(next dtask.HandleFunc) dtask.HandleFunc {
		return func(ctx context.Context, m *dtask.Message) dtask.Outcome {
			return next(ctx, m)
		}
	}
	program := worker.Program{Middleware: []dtask.Middleware{counting}}
	program.Run([]string{"list"}, purgeTable())
	// Output:
	// TASK        QUEUE  RETRIES  TIMEOUT  BACKOFF  PRIORITY  SCHEDULE
	// mail.Purge  mail   5        1m       1s       default   -
}
