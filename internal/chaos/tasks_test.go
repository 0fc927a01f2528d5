//go:build unix

package chaos

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"github.com/dtaskhq/dtask/runtime/dtask"
)

// queue is the queue of every trial.
const queue = "chaos"

// args are the arguments of the tasks.
type args struct {
	Sleep time.Duration `json:"sleep"` // how long it works
	Due   int64         `json:"due"`   // Unix milliseconds
}

// define returns a task with the default policy of an annotated function.
func define(name string, retries int) dtask.Task[args, dtask.None] {
	return dtask.Define[args, dtask.None](name, dtask.Spec{
		Queue:   queue,
		Retries: retries,
		Timeout: time.Minute,
		Backoff: time.Second,
		Schema:  "sleep time.Duration, due int64",
	})
}

// The tasks.
var (
	plain  = define("chaos.Plain", 5)
	flaky  = define("chaos.Flaky", 5)  // fails at every attempt but the last
	poison = define("chaos.Poison", 2) // kills its process
	newer  = define("chaos.Newer", 5)  // unknown to crews of the old build
	nobody = define("chaos.Nobody", 5) // unknown to all
)

var tasks = map[string]dtask.Task[args, dtask.None]{}

func init() {
	for _, t := range []dtask.Task[args, dtask.None]{plain, flaky, poison, newer, nobody} {
		tasks[t.Name()] = t
	}
}

// table returns the dispatch table of a build, whose tasks note what they do.
func table(log *ledger, old bool) dtask.Table {
	run := func(ctx context.Context, a args) {
		info, _ := dtask.InfoFromContext(ctx)
		if a.Sleep > 0 {
			time.Sleep(a.Sleep)
		}
		log.note(executed, info.ID, fmt.Sprint(time.Now().UnixMilli()-a.Due, info.Attempt))
	}
	start := func(ctx context.Context) dtask.Info {
		info, _ := dtask.InfoFromContext(ctx)
		log.note(started, info.ID, info.Attempt)
		return info
	}
	bind := func(t dtask.Task[args, dtask.None], f func(context.Context, args) error) dtask.BoundTask {
		return t.Bind(func(ctx context.Context, a args) (dtask.None, error) { return dtask.None{}, f(ctx, a) })
	}
	known := dtask.Table{
		bind(plain, func(ctx context.Context, a args) error {
			run(ctx, a)
			return nil
		}),
		bind(flaky, func(ctx context.Context, a args) error {
			if info := start(ctx); info.Attempt < info.Attempts {
				return dtask.RetryAfter(scale(time.Second, 5*time.Second), errors.New("not yet"))
			}
			run(ctx, a)
			return nil
		}),
		bind(poison, func(ctx context.Context, _ args) error {
			start(ctx)
			syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}),
	}
	if !old {
		known = append(known, bind(newer, func(ctx context.Context, a args) error {
			run(ctx, a)
			return nil
		}))
	}
	return known
}
