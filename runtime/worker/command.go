package worker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/dtaskhq/dtask/internal/spelling"
	"github.com/dtaskhq/dtask/runtime/dtask"
)

// list prints the dispatch table.
func (p *program) list() error {
	tasks := p.handlers()
	slices.SortFunc(tasks, func(a, b dtask.Handler) int { return cmp.Compare(a.Name, b.Name) })
	w := tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "TASK\tQUEUE\tRETRIES\tTIMEOUT\tBACKOFF\tPRIORITY\tSCHEDULE")
	for _, t := range tasks {
		timeout := "none"
		if t.Spec.Timeout > 0 {
			timeout = short(t.Spec.Timeout)
		}
		fmt.Fprintf(w, "%s\t%s\t%d\t%s\t%s\t%s\t%s\n",
			t.Name, t.Spec.Queue, t.Spec.Retries, timeout, short(t.Spec.Backoff), t.Spec.Priority, cmp.Or(t.Spec.Cron, "-"))
	}
	return w.Flush()
}

// runTask runs one task in this process, with its arguments as JSON, and prints
// its result, if it has one.
func (p *program) runTask(name, args string) error {
	tasks := p.handlers()
	i := slices.IndexFunc(tasks, func(h dtask.Handler) bool { return h.Name == name })
	if i < 0 {
		return p.noTask(name)
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
	result, err := tasks[i].Run(ctx, []byte(args))
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

// noTask returns the error of a task that the program does not have.
func (p *program) noTask(name string) error {
	var names []string
	for _, h := range p.handlers() {
		names = append(names, h.Name)
	}
	if near := spelling.Nearest(name, names); near != "" {
		return usagef("no task %q in this program; did you mean %s?", name, near)
	}
	return usagef("no task %q in this program; list prints them", name)
}

// handlers returns the entries of all tables.
func (p *program) handlers() []dtask.Handler {
	var all []dtask.Handler
	for _, t := range p.tables {
		all = append(all, t...)
	}
	return all
}

// short prints a duration without its zero parts: 1h, not 1h0m0s.
func short(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
