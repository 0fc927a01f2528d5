package console

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/dtaskhq/dtask/internal/printable"
	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/operate"
)

// maxShown is how many characters are shown of the arguments, or of a stack.
const maxShown = 20_000

// showMessage prints all of a message for people.
func (p *Program) showMessage(s broker.Stored, mask *operate.Mask) error {
	m := s.Message
	w := tabwriter.NewWriter(p.Out, 0, 0, 2, ' ', 0)
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(w, "%s\t%s\n", name, printable.Cut(printable.Text(value, ""), maxError))
		}
	}
	line("id", m.ID)
	line("task", m.Task)
	line("queue", m.Queue)
	line("state", fmt.Sprintf("%s, %s", s.State, when(s.At)))
	line("enqueued", when(m.EnqueuedAt))
	line("attempt", fmt.Sprintf("%d of %d", m.Attempt, m.Attempts))
	line("priority", m.Priority.String())
	line("schema", m.Schema)
	if !m.Expires.IsZero() {
		line("expires", when(m.Expires))
	}
	if m.HandedBack > 0 {
		line("handed back", fmt.Sprintf("%d times since %s", m.HandedBack, when(m.HandedBackSince)))
	}
	for _, name := range slices.Sorted(maps.Keys(m.Headers)) {
		line("header "+name, m.Headers[name])
	}
	if err := w.Flush(); err != nil {
		return err
	}
	arguments, unknown := mask.Arguments(m)
	if unknown {
		fmt.Fprintln(p.Out, "arguments, masked as no living worker knows which are secret (--reveal shows them)")
	} else {
		fmt.Fprintln(p.Out, "arguments")
	}
	indented(p.Out, string(withoutControls(arguments)))
	for i, f := range slices.Backward(m.Failures) {
		name := "failure"
		if i == len(m.Failures)-1 {
			name = "newest failure"
		}
		fmt.Fprintf(p.Out, "%s, attempt %d, %s: %s\n", name, f.Attempt, when(f.At), cell(f.Kind))
		indented(p.Out, f.Error)
		indented(p.Out, f.Stack)
		if f.Log != "" {
			fmt.Fprintf(p.Out, "logged in attempt %d, times in UTC\n", f.Attempt)
			indented(p.Out, f.Log)
		}
	}
	return nil
}

// indented prints lines, cut if they are many.
func indented(w io.Writer, text string) {
	if text == "" {
		return
	}
	text = printable.Cut(printable.Text(text, "\n\t"), maxShown)
	for line := range strings.Lines(text) {
		fmt.Fprintf(w, "  %s\n", strings.TrimSuffix(line, "\n"))
	}
}

// when returns a time, and how long ago that was.
func when(t time.Time) string {
	if t.IsZero() {
		return "no time noted"
	}
	text := t.Local().Format("2006-01-02 15:04:05 -0700")
	if ago := printable.Since(t); !strings.HasPrefix(ago, "in ") {
		return text + ", " + ago + " ago"
	} else {
		return text + ", " + ago
	}
}
