package worker

import (
	"fmt"
	"io"
	"os"
	"sync"
)

// isTerminal reports whether a person may be reading w.
func isTerminal(w any) bool {
	if t, ok := w.(*statusLine); ok {
		w = t.out
	}
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// A statusLine keeps a line of progress below all else that is written to a
// terminal. It may be used by several goroutines at once, as the default log of
// package slog is.
type statusLine struct {
	mu   sync.Mutex
	out  io.Writer
	line string
}

// eraseLine is the control sequence (ECMA-48) that goes to the start of the
// line and clears it.
const eraseLine = "\r\x1b[K"

// Write writes p above the line.
func (s *statusLine) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.line == "" {
		return s.out.Write(p)
	}
	if _, err := fmt.Fprintf(s.out, "%s%s%s", eraseLine, p, s.line); err != nil {
		return 0, err
	}
	return len(p), nil
}

// show replaces the line; an empty one ends it.
func (s *statusLine) show(line string) {
	line = printable(line)
	s.mu.Lock()
	defer s.mu.Unlock()
	if line != s.line {
		s.line = line
		fmt.Fprint(s.out, eraseLine, line)
	}
}
