// Cron is a worker with a task that runs by the clock.
package main

import (
	"context"
	"fmt"

	"github.com/dtaskhq/dtask/runtime/dtask"
	_ "github.com/dtaskhq/dtask/runtime/sqlite"
	"github.com/dtaskhq/dtask/runtime/worker"
)

//go:generate go tool dtaskgen

// Remind says that another minute has passed.
//
//dtask:task retries=3 timeout=10s
//dtask:cron missed=once * * * * *
func Remind(ctx context.Context) {
	info, _ := dtask.InfoFromContext(ctx)
	fmt.Println("another minute has passed, attempt", info.Attempt)
}

func main() { worker.Main(Tasks()) }
