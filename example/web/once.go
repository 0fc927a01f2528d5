package web

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/dtaskhq/dtask/example/web/mail"
	"github.com/dtaskhq/dtask/example/web/outcome"
	"github.com/dtaskhq/dtask/example/web/pictures"
	"github.com/dtaskhq/dtask/example/web/report"
)

// once returns the part that puts files through the same tasks as the page
// does, and prints what became of each.
func once(o options, g *gallery) part {
	return func(ctx context.Context) error {
		start := time.Now()
		tasks, err := delayAll(ctx, o, g)
		if err != nil {
			return err
		}
		waiting, cancel := context.WithTimeoutCause(ctx, o.timeout,
			fmt.Errorf("not done after %v; is a worker running?", o.timeout))
		defer cancel()
		if err := follow(waiting, g.outcomes(), tasks); err != nil {
			return err
		}
		fmt.Printf("all %d tasks done in %v\n", len(tasks), time.Since(start).Round(time.Millisecond))
		return nil
	}
}

// A delayed is a task to wait for.
type delayed struct {
	id     string
	does   string // thumbnail, report or mail
	of     string // the picture, or the reader of the report
	output string // file
}

// delayAll stores the files and delays the tasks, but for the mail: that is
// delayed by the report.
func delayAll(ctx context.Context, o options, g *gallery) ([]delayed, error) {
	var opened []*os.File
	for _, name := range o.files { // all of them, before anything is delayed
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
			return nil, fmt.Errorf("%s is not a file", name)
		}
		opened = append(opened, f)
	}
	var tasks []delayed
	var added []report.Picture
	for _, f := range opened {
		p, err := g.addPicture(ctx, filepath.Base(f.Name()), f)
		if err != nil {
			return nil, err
		}
		added = append(added, p)
		tasks = append(tasks, delayed{p.Task, "thumbnail", p.Name, p.Thumbnail})
	}
	order, err := g.orderReport(ctx, o.to, added)
	if err != nil {
		return nil, err
	}
	return append(tasks,
		delayed{order.ID, "report", "on all pictures", report.PDFFile(filepath.Join(g.reports(), order.ID))},
		delayed{order.MailID(), "mail", "to " + order.To, mail.File(g.mail(), order.ID)}), nil
}

// follow waits for the tasks, one after the other, and prints what became of
// each. It returns an error if one failed.
func follow(ctx context.Context, outcomes outcome.Folder, tasks []delayed) error {
	var failures []error
	for _, t := range tasks {
		o, err := t.wait(ctx, outcomes)
		if err != nil {
			return fmt.Errorf("%s %s: %w", t.does, t.of, err)
		}
		t.print(o)
		if o.Failed {
			failures = append(failures, fmt.Errorf("%s %s: %s", t.does, t.of, o.Error))
			if t.does == "report" {
				break // no mail will follow
			}
		}
	}
	switch len(failures) {
	case 0:
		return nil
	case 1:
		return failures[0]
	}
	return fmt.Errorf("%w (and %d more failed)", failures[0], len(failures)-1)
}

// wait returns the outcome of the task once it is final.
func (t delayed) wait(ctx context.Context, outcomes outcome.Folder) (outcome.Outcome, error) {
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for {
		o, err := outcomes.Of(t.id)
		if err != nil || o.Final() {
			return o, err
		}
		select {
		case <-look.C:
		case <-ctx.Done():
			if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
				return o, cause
			}
			return o, errors.New("interrupted; the task stays in the queue")
		}
	}
}

// print prints a line about the task.
func (t delayed) print(o outcome.Outcome) {
	state, result := "done", t.result()
	if o.Failed {
		state, result = "FAILED", o.Error
	}
	fmt.Printf("%-7s %-10s %-22s %8v  %s\n", state, t.does, t.of, o.Took.Round(100*time.Microsecond), result)
}

// result describes what the task has left in the data folder.
func (t delayed) result() string {
	if _, err := os.Stat(t.output); err != nil {
		return "by mail server" // else there would be a file
	}
	file := t.output
	if dir, err := os.Getwd(); err == nil {
		if relative, err := filepath.Rel(dir, file); err == nil && filepath.IsLocal(relative) {
			file = relative
		}
	}
	if p, err := pictures.Inspect(t.output); err == nil {
		return fmt.Sprintf("%s (%v)", file, p.Size)
	}
	return file
}
