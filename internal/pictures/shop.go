package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"time"

	"github.com/dtaskhq/dtask/runtime/dtask"
	_ "github.com/dtaskhq/dtask/runtime/sqlite"
	_ "github.com/dtaskhq/dtask/runtime/telemetry/metrics"
	"github.com/dtaskhq/dtask/runtime/worker"
)

// The pictures are of a small shop: this program, started again as its worker.
const workerEnv = "DTASK_PICTURES_WORKER"

type letter struct {
	To string `json:"to"`
}

func define(name, queue, cron string) dtask.Task[letter, dtask.None] {
	return dtask.Define[letter, dtask.None]("example.com/shop/"+name, dtask.Spec{
		Queue: queue, Retries: 3, Timeout: time.Hour, Backoff: 300 * time.Millisecond, Cron: cron, Schema: "5ca1ab1e",
	})
}

var (
	sendTask   = define("mail.Send", "mail", "")
	scaleTask  = define("images.Scale", "images", "")
	reportTask = define("reports.Monthly", "reports", "") // of a worker that does not run
)

// shop runs the worker.
func shop(args []string) int {
	return worker.Run(args, dtask.Table{
		sendTask.Bind(func(ctx context.Context, l letter) (dtask.None, error) {
			info, _ := dtask.InfoFromContext(ctx)
			time.Sleep(time.Duration(20+len(l.To)) * time.Millisecond)
			switch {
			case l.To == "nobody":
				return dtask.None{}, dtask.Permanent(errors.New("550 no such mailbox"))
			case l.To == "later" && info.Attempt == 1:
				return dtask.None{}, errors.New("421 try again later")
			}
			return dtask.None{}, nil
		}),
		scaleTask.Bind(func(ctx context.Context, l letter) (dtask.None, error) {
			if l.To == "large" {
				<-ctx.Done()
				return dtask.None{}, ctx.Err()
			}
			time.Sleep(150 * time.Millisecond)
			return dtask.None{}, nil
		}),
	})
}

// openShop starts the worker, and returns a context in which its tasks are delayed.
func openShop(url string, flags ...string) (ctx context.Context, closeShop func(), err error) {
	client, err := dtask.Open(context.Background(), url)
	if err != nil {
		return nil, nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, nil, err
	}
	cmd := exec.Command(self, append([]string{"-url", url, "-grace", "1s", "-queues", "mail=10,images=4", "-log-level", "error"}, flags...)...)
	cmd.Env = append(os.Environ(), workerEnv+"=1")
	if err := cmd.Start(); err != nil {
		return nil, nil, err
	}
	return dtask.NewContext(context.Background(), client), func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait()
		_ = client.Close()
	}, nil
}

// order delays tasks, each with these texts.
func order(ctx context.Context, task dtask.Task[letter, dtask.None], texts ...string) error {
	for _, text := range texts {
		if _, err := task.Delay(ctx, letter{text}); err != nil {
			return fmt.Errorf("%s: %w", task.Name(), err)
		}
	}
	return nil
}
