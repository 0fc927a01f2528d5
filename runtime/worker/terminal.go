package worker

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"
)

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
	fmt.Fprintf(&s.line, "%s %-5s %s ", r.Time.Local().Format(time.TimeOnly), r.Level, printable(r.Message))
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
