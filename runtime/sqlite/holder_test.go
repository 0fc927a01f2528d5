package sqlite

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// holdEnv names the variable that makes a test binary a process that takes a task
// from the queue "held", and is done with it when it is continued.
const holdEnv = "DTASK_SQLITE_HOLD"

// holdTask takes a task, says so, and moves it to the dead letters when its standard
// input ends.
func holdTask(file string) int {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	b, err := Open(ctx, "sqlite:"+file, broker.Config{})
	if err != nil {
		return 1
	}
	defer b.Close()
	c, err := b.Consume(ctx, broker.ConsumeOptions{Queue: "held", Concurrency: 1})
	if err != nil {
		return 1
	}
	d := <-c.Deliveries()
	fmt.Println("holding")
	io.Copy(io.Discard, os.Stdin)
	c.Stop()
	d.Settle(broker.Settlement{Verdict: broker.Dead})
	if c.Close(ctx) != nil {
		return 1
	}
	return 0
}
