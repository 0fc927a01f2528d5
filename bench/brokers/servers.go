package brokers

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"syscall"
	"time"

	"github.com/dtaskhq/dtask/internal/testenv/rabbitnode"
)

// A server is what rows are measured on that do not work on a file.
type server struct {
	name string

	// start starts a private one, with its files in dir. stop returns once it
	// is gone. The error is errNotInstalled if the machine has none.
	start func(ctx context.Context, dir string) (url string, stop func(), err error)
}

var errNotInstalled = errors.New("not installed")

var rabbitMQServer = &server{"RabbitMQ", func(ctx context.Context, _ string) (string, func(), error) {
	if !rabbitnode.Installed() {
		return "", nil, errNotInstalled
	}
	node, err := rabbitnode.Start(ctx, rabbitnode.Options{})
	if err != nil {
		return "", nil, err
	}
	return node.URL(), node.Stop, nil
}}

// startServers starts what the rows of a table need, and returns the URL of
// each server. Those that are not installed have none.
func startServers(ctx context.Context, o Options, t *Table) (urls map[*server]string, stop func(), err error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	urls = make(map[*server]string)
	var stops []func()
	stop = func() {
		for _, stop := range stops {
			stop()
		}
	}
	for i := range t.rows {
		s := t.rows[i].row.on
		if _, seen := urls[s]; seen || s == nil {
			continue
		}
		url, stopIt, err := s.start(ctx, o.Dir)
		switch {
		case errors.Is(err, errNotInstalled):
			fmt.Fprintf(o.Out, "%s is not installed: its rows are left out (%s).\n", s.name, t.Title)
		case err != nil:
			stop()
			return nil, nil, fmt.Errorf("%s: %w", s.name, err)
		default:
			stops = append(stops, stopIt)
		}
		urls[s] = url
	}
	return urls, stop, nil
}

// guardian runs a server until the end of its own standard input, which comes
// with the death of the process that holds the other end, however it dies. One
// SIGINT is not enough: a server that has just begun ignores it.
const guardian = `
trap '' INT TERM HUP
"$@" & server=$!
read -r _
while kill -INT $server 2>/dev/null; do sleep 0.1; done
`

// serve runs the command of a server, and returns once ready succeeds, with
// what ends it. SIGINT must end the server, whoever is connected.
func serve(ctx context.Context, attr *syscall.SysProcAttr, ready func(context.Context) error, command ...string) (func(), error) {
	cmd := exec.Command("sh", append([]string{"-c", guardian, "dtask-bench-guardian"}, command...)...)
	cmd.Dir = "/"
	cmd.SysProcAttr = attr
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	alive, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	stop := func() {
		alive.Close()
		cmd.Wait() // for each of its processes: all have the output open
	}
	for {
		err := ready(ctx)
		if err == nil {
			return stop, nil
		}
		select {
		case <-ctx.Done():
			stop()
			return nil, fmt.Errorf("did not start: %w\n%s", err, bytes.TrimSpace(out.Bytes()))
		case <-time.After(50 * time.Millisecond):
		}
	}
}
