// Command testenv runs a command with the servers its tests need:
//
//	go run ./internal/testenv -- go test ./...
//
// It starts a private RabbitMQ node and a private PostgreSQL server, tells the
// command of them by environment variables (packages rabbitnode and postgresnode),
// and stops them when the command has ended, however it ended. What the command leaves in the directory for temporary files goes with
// it. While go test says nothing, it says which tests run. On Debian it installs
// what the machine lacks, if this user may do so. The exit status is that of the
// command.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"github.com/dtaskhq/dtask/internal/testenv/postgresnode"
	"github.com/dtaskhq/dtask/internal/testenv/rabbitnode"
)

func main() {
	args := os.Args[1:]
	if len(args) > 0 && args[0] == "--" {
		args = args[1:]
	}
	if len(args) == 0 {
		fmt.Fprintln(os.Stderr, "usage: testenv -- COMMAND [ARGUMENT…]")
		os.Exit(2)
	}
	code, err := run(args)
	if err != nil {
		fmt.Fprintln(os.Stderr, "testenv:", err)
		code = 1
	}
	os.Exit(code)
}

func run(args []string) (int, error) {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)

	if err := install(); err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	go func() {
		select {
		case s := <-signals: // while the servers start
			signals <- s
			cancel()
		case <-ctx.Done():
		}
	}()
	node, err := rabbitnode.Start(ctx, rabbitnode.Options{})
	if err != nil {
		return 0, err
	}
	defer node.Stop()
	database, err := postgresnode.Start(ctx, postgresnode.Options{})
	if err != nil {
		return 0, err
	}
	defer database.Stop()
	cancel()

	temp, err := os.MkdirTemp("", "dtask-test-")
	if err != nil {
		return 0, err
	}
	defer remove(temp)
	if err := os.Chmod(temp, 0o711); err != nil { // PostgreSQL is another user
		return 0, err
	}
	args, events := withEvents(args)
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = slices.Concat(os.Environ(), node.Env(), database.Env(), []string{"TMPDIR=" + temp})
	cmd.WaitDelay = 10 * time.Second // for what outlives it and holds its output
	wait := cmd.Wait
	if events {
		r, w := io.Pipe()
		cmd.Stdout = w
		printed := make(chan struct{})
		go func() { follow(r, os.Stdout); close(printed) }()
		wait = func() error {
			err := cmd.Wait()
			w.Close()
			<-printed
			return err
		}
	}
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	ended := make(chan error, 1)
	go func() { ended <- wait() }()
	return await(cmd, ended, signals)
}

// remove removes a directory in which processes that are about to end may still
// write, such as nodes whose test was interrupted.
func remove(dir string) {
	for deadline := time.Now().Add(10 * time.Second); os.RemoveAll(dir) != nil && time.Now().Before(deadline); {
		time.Sleep(100 * time.Millisecond)
	}
}

// await passes signals on to the command until it has ended, and returns its
// exit status. A second signal kills it, and so does the death of the parent
// process: "go run" dies of SIGTERM and passes nothing on.
func await(cmd *exec.Cmd, ended <-chan error, signals <-chan os.Signal) (int, error) {
	parent := os.Getppid()
	alive := time.NewTicker(time.Second)
	defer alive.Stop()
	for signaled := false; ; {
		select {
		case err := <-ended:
			var exit *exec.ExitError
			if errors.As(err, &exit) {
				return max(cmd.ProcessState.ExitCode(), 1), nil // -1: by a signal
			}
			return 0, err
		case s := <-signals:
			if signaled {
				cmd.Process.Kill()
			} else {
				cmd.Process.Signal(s)
			}
			signaled = true
		case <-alive.C:
			if os.Getppid() != parent {
				cmd.Process.Kill()
			}
		}
	}
}
