// Package lab has tasks that go wrong on purpose.
package lab

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/dtaskhq/dtask/example/web/outcome"
	"github.com/dtaskhq/dtask/runtime/dtask"
)

//go:generate go tool dtaskgen

// A Lab runs the tasks that go wrong.
type Lab struct {
	// Outcomes takes the last words of a worker.
	Outcomes outcome.Folder
}

// Stumble fails twice and then succeeds. dtask tries it again after one second,
// and after two more.
//
//dtask:task queue=lab retries=3 backoff=1s timeout=10s
func Stumble(ctx context.Context) error {
	if info, _ := dtask.InfoFromContext(ctx); info.Attempt < 3 {
		return errors.New("stumbled")
	}
	return nil
}

// Crash kills the process of its worker, as the kernel does when memory runs out.
// dtask delivers the task again, to the next process: that attempt succeeds.
//
//dtask:task queue=lab retries=3 backoff=1s timeout=10s
func (l *Lab) Crash(ctx context.Context) error {
	info, _ := dtask.InfoFromContext(ctx)
	if info.Attempt > 1 {
		return nil
	}
	pid := os.Getpid()
	err := l.Outcomes.Add(info.ID, outcome.Outcome{}, fmt.Sprintf("attempt 1 killed its worker, process %d", pid))
	if err != nil {
		return err
	}
	self, err := os.FindProcess(pid)
	if err != nil {
		return err
	}
	if err := self.Kill(); err != nil {
		return err
	}
	select {} // the kernel needs a moment
}
