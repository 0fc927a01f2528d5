package worker

import (
	"errors"
	"io"
	"log/slog"
)

// logFormat is the value of -log.
type logFormat string

func (f logFormat) String() string { return string(f) }

func (f *logFormat) Set(s string) error {
	if s != "text" && s != "json" {
		return errors.New("use text or json")
	}
	*f = logFormat(s)
	return nil
}

// newLog returns the log of the process on w.
func newLog(c *config, w io.Writer) *slog.Logger {
	options := &slog.HandlerOptions{Level: c.logLevel}
	switch {
	case c.logFormat == "json":
		return slog.New(slog.NewJSONHandler(w, options))
	case isTerminal(w):
		return slog.New(newTerminalHandler(w, c.logLevel))
	}
	return slog.New(slog.NewTextHandler(w, options))
}
