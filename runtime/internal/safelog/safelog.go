// Package safelog keeps a log handler of the user from ending the process: what
// panics in it is said once on standard error, and work goes on.
package safelog

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"sync"
)

// New returns a logger with the handler of log, or of slog.Default() if log is nil,
// whose methods never panic.
func New(log *slog.Logger) *slog.Logger {
	if log == nil {
		log = slog.Default()
	}
	if _, ok := log.Handler().(handler); ok {
		return log
	}
	return slog.New(handler{log.Handler()})
}

type handler struct{ inner slog.Handler }

func (h handler) Enabled(ctx context.Context, level slog.Level) (enabled bool) {
	defer survive()
	return h.inner.Enabled(ctx, level)
}

func (h handler) Handle(ctx context.Context, r slog.Record) error {
	defer survive()
	return h.inner.Handle(ctx, r)
}

func (h handler) WithAttrs(attrs []slog.Attr) (with slog.Handler) {
	with = h // without the attributes, if the handler panics
	defer survive()
	return handler{h.inner.WithAttrs(attrs)}
}

func (h handler) WithGroup(name string) (with slog.Handler) {
	with = h
	defer survive()
	return handler{h.inner.WithGroup(name)}
}

var say sync.Once

// survive is to be deferred.
func survive() {
	if v := recover(); v != nil {
		say.Do(func() {
			fmt.Fprintf(os.Stderr, "dtask: the log handler panics, and its lines are lost: %v\n", v)
		})
	}
}
