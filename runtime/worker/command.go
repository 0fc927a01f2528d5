package worker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/dtaskhq/dtask/internal/spelling"
	"github.com/dtaskhq/dtask/runtime/dtask"
)

// runTask runs one task in this process, with its arguments as JSON, and prints
// its result, if it has one.
func (p *program) runTask(name, args string) error {
	task, err := p.find(name)
	if err != nil {
		return err
	}
	if args == "-" {
		input, err := io.ReadAll(p.stdin)
		if err != nil {
			return fmt.Errorf("read the arguments from standard input: %w", err)
		}
		args = string(input)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if p.config.url != "" { // for what the task itself delays
		client, _, err := p.open(ctx)
		if err != nil {
			return err
		}
		defer client.Close()
	}
	start := time.Now()
	result, err := task.Run(ctx, []byte(args))
	var panicked *dtask.PanicError
	switch {
	case errors.Is(err, dtask.ErrArguments):
		return usagef("%s: %w", name, err)
	case errors.As(err, &panicked):
		return fmt.Errorf("%s: %w\n%s", name, err, panicked.Stack)
	case errors.Is(err, dtask.ErrNoClient) && p.config.url == "":
		return fmt.Errorf("%s: it delays a task, and there is no broker; set -url or DTASK_URL", name)
	case err != nil:
		return fmt.Errorf("%s: %w", name, err)
	}
	p.log.Info("task done", "task", name, "took", time.Since(start))
	if string(result) != "{}" {
		fmt.Fprintf(p.stdout, "%s\n", result)
	}
	return nil
}

// find returns the task with the given name, or with the given end of its name
// where no other task has it.
func (p *program) find(name string) (dtask.BoundTask, error) {
	var found []dtask.BoundTask
	var names []string
	tasks := p.boundTasks()
	short := tasks.ShortNames()
	for _, t := range tasks {
		if t.Name == name {
			return t, nil
		}
		if strings.HasSuffix(t.Name, "/"+name) {
			found = append(found, t)
		}
		names = append(names, short[t.Name])
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		if near := spelling.Nearest(name, names); near != "" {
			return dtask.BoundTask{}, usagef("no task %s in this program; did you mean %s?", quoted(name), near)
		}
		return dtask.BoundTask{}, usagef("no task %s in this program; tasks lists them", quoted(name))
	}
	return dtask.BoundTask{}, usagef("%d tasks of this program are called %s; use %s or %s", len(found), name, short[found[0].Name], short[found[1].Name])
}

// boundTasks returns the entries of all tables.
func (p *program) boundTasks() dtask.Table { return slices.Concat(p.tables...) }
