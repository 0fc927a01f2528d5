package web

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// workerProcess returns the part that keeps a worker running, in a process of its
// own: a task may kill it, and the page goes on. The worker ends when its standard
// input does, and so also if this process is killed.
func workerProcess(data string) part {
	return func(ctx context.Context) error {
		for early := 0; ; {
			start := time.Now()
			err := runChild(ctx, data)
			if ctx.Err() != nil {
				return nil
			}
			if time.Since(start) > 2*time.Second {
				early = 0
			}
			if early++; early > 5 {
				return fmt.Errorf("the worker ends at once: %w", err)
			}
			slog.Warn("the worker has died; the next one starts", "err", err)
		}
	}
}

// runChild runs a worker until it dies, or stops it when ctx ends.
func runChild(ctx context.Context, data string) error {
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.Command(exe, "child", "-data", data)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() { stdin.Close() })()
	return cmd.Wait()
}

// stopWithParent tells a worker that workerProcess has started to stop when its input
// ends, also if that process is killed. On Windows, where it cannot be told, it ends.
func stopWithParent() {
	go func() {
		io.Copy(io.Discard, os.Stdin) // until its end, however that comes
		self, err := os.FindProcess(os.Getpid())
		if err != nil || self.Signal(syscall.SIGTERM) != nil {
			os.Exit(0)
		}
	}()
}
