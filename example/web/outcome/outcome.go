// Package outcome notes what became of tasks, for those who wait for them in
// another process: the page, and the command once.
package outcome

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/dtaskhq/dtask/runtime/dtask"

	"github.com/dtaskhq/dtask/example/web/files"
)

// An Outcome is what is known of a task. The zero Outcome means that the task
// waits or runs.
type Outcome struct {
	Done   bool          // it was executed
	Failed bool          // it is among the dead letters
	Error  string        // why the last attempt failed, if it did
	Took   time.Duration // how long the last attempt took

	History []string // a line for each attempt
}

// Final reports whether there is nothing left to wait for.
func (o Outcome) Final() bool { return o.Done || o.Failed }

// A Folder keeps a file for each task, called by the id of its message. All
// processes of the example share one.
type Folder string

// Of returns the outcome of the task with the given id.
func (f Folder) Of(id string) (o Outcome, err error) {
	err = files.LoadJSON(f.file(id), &o)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return o, err
}

// Middleware returns the middleware of the workers that notes the outcomes.
// The tasks themselves know nothing of it; what never reaches their functions,
// or kills its worker, is noted as well.
func (f Folder) Middleware(log *slog.Logger) dtask.Middleware {
	return func(next dtask.HandleFunc) dtask.HandleFunc {
		return func(ctx context.Context, m *dtask.Message) dtask.Outcome {
			start := time.Now()
			result := next(ctx, m)
			o := Outcome{Took: time.Since(start)}
			line := fmt.Sprintf("attempt %d was done by process %d", m.Attempt, os.Getpid())
			switch result.Kind {
			case dtask.OutcomeDone:
				o.Done = true
			case dtask.OutcomeDead, dtask.OutcomeRetried:
				o.Failed = result.Kind == dtask.OutcomeDead
				o.Error = fmt.Sprint(result.Err)
				line = fmt.Sprintf("attempt %d failed: %s", m.Attempt, o.Error)
			default:
				return result // it has yet to run
			}
			if err := f.Add(m.ID, o, line); err != nil {
				log.Error("outcome not noted", "task", m.Task, "id", m.ID, "err", err)
			}
			return result
		}
	}
}

// Add notes the outcome of an attempt, and a line for the history of its task.
func (f Folder) Add(id string, o Outcome, line string) error {
	before, err := f.Of(id)
	if err != nil {
		return err
	}
	o.History = append(before.History, line)
	return files.SaveJSON(f.file(id), o)
}

func (f Folder) file(id string) string {
	return filepath.Join(string(f), filepath.Base(id)+".json")
}
