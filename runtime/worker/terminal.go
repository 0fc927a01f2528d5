package worker

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"time"
)

// isTerminal reports whether a person may be reading w.
func isTerminal(w io.Writer) bool {
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

// A terminalHandler writes records for people:
//
//	15:04:05 INFO  task done task=mail.SendWelcome took=12ms
type terminalHandler struct {
	inner slog.Handler // writes the fields to line
	sink  *terminalSink
}

// terminalSink is what the handlers derived from one share.
type terminalSink struct {
	mu   sync.Mutex
	line bytes.Buffer
	out  io.Writer
}

func newTerminalHandler(out io.Writer, level slog.Leveler) *terminalHandler {
	sink := &terminalSink{out: out}
	return &terminalHandler{sink: sink, inner: slog.NewTextHandler(&sink.line, &slog.HandlerOptions{
		Level: level,
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			_, isLevel := a.Value.Any().(slog.Level)
			if a.Key == slog.LevelKey && isLevel || a.Key == slog.MessageKey && a.Value.String() == "" {
				return slog.Attr{} // Handle has written them
			}
			return a
		},
	})}
}

// Enabled implements slog.Handler.
func (h *terminalHandler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.inner.Enabled(ctx, level)
}

// Handle implements slog.Handler.
func (h *terminalHandler) Handle(ctx context.Context, r slog.Record) error {
	s := h.sink
	s.mu.Lock()
	defer s.mu.Unlock()
	s.line.Reset()
	fmt.Fprintf(&s.line, "%s %-5s %s ", r.Time.Local().Format(time.TimeOnly), r.Level, r.Message)
	fields := r.Clone()
	fields.Time, fields.Message = time.Time{}, ""
	if err := h.inner.Handle(ctx, fields); err != nil {
		return err
	}
	_, err := s.out.Write(s.line.Bytes())
	return err
}

// WithAttrs implements slog.Handler.
func (h *terminalHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &terminalHandler{h.inner.WithAttrs(attrs), h.sink}
}

// WithGroup implements slog.Handler.
func (h *terminalHandler) WithGroup(name string) slog.Handler {
	return &terminalHandler{h.inner.WithGroup(name), h.sink}
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
	s.mu.Lock()
	defer s.mu.Unlock()
	if line != s.line {
		s.line = line
		fmt.Fprint(s.out, eraseLine, line)
	}
}
