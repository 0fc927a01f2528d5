// Package top is the terminal page of operators: it shows, and keeps up to date, what
// waits, runs and fails, over package operate. Lower-case keys look, upper-case keys
// change something, which shows the count first and asks.
//
// Only cmd/dtask links it: a worker needs no terminal.
//
// top.go has the program, model.go what it knows and what keys do, look.go asks the
// broker, the screen_… files say what is seen, change.go changes, and draw.go draws.
package top

import (
	"context"
	"errors"
	"io"

	tea "charm.land/bubbletea/v2"

	"github.com/dtaskhq/dtask/runtime/operate"
)

// Run shows the page on a terminal until the user quits, or ctx ends. in and out are
// the terminal, and environ says what it can do; NO_COLOR in it is obeyed.
func Run(ctx context.Context, o *operate.Operator, in io.Reader, out io.Writer, environ []string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	_, err := tea.NewProgram(newModel(ctx, o), tea.WithContext(ctx), tea.WithInput(in), tea.WithOutput(out), tea.WithEnvironment(environ)).Run()
	if errors.Is(err, tea.ErrInterrupted) || errors.Is(err, tea.ErrProgramKilled) && ctx.Err() != nil {
		return nil
	}
	return err
}
