package dtask

import (
	"context"
	"log/slog"
)

// Logger returns the logger of the attempt that runs with ctx: the worker's, with the
// task, the id of the message and the attempt on every line. If the worker keeps logs
// ([WorkerConfig]), what is logged is kept with the message, too. Without a worker it is
// slog.Default().
func Logger(ctx context.Context) *slog.Logger {
	t, ok := ctx.Value(attemptKey{}).(*taskContext)
	if !ok || t.log == nil {
		return slog.New(LogHandler(slog.Default().Handler()))
	}
	i := t.info
	next := t.log.With("task", i.Task, "id", i.ID, "attempt", i.Attempt).Handler()
	return slog.New(&logHandler{next: next, records: t.records})
}

// LogHandler returns a handler that passes everything on to next, and keeps what is logged
// in attempts with their messages, as [Logger] does: the records of a call that has the
// context of the task, such as slog.InfoContext. It is for programs that log by package
// slog:
//
//	slog.SetDefault(slog.New(dtask.LogHandler(handler)))
func LogHandler(next slog.Handler) slog.Handler { return &logHandler{next: next} }

// A logHandler keeps records with an attempt.
type logHandler struct {
	next    slog.Handler
	with    []func(slog.Handler) slog.Handler // the attributes and groups so far
	records *records                          // nil: those of the context
}

type keptKey struct{}

// of returns where the records of a context are kept, or nil: nowhere, or the handler
// around this one keeps them.
func (h *logHandler) of(ctx context.Context) *records {
	if ctx.Value(keptKey{}) != nil {
		return nil
	}
	if h.records != nil {
		return h.records
	}
	if t, ok := ctx.Value(attemptKey{}).(*taskContext); ok {
		return t.records
	}
	return nil
}

// Enabled implements [slog.Handler]. What is kept is kept from info on.
func (h *logHandler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.next.Enabled(ctx, level) || level >= slog.LevelInfo && h.of(ctx) != nil
}

// Handle implements [slog.Handler].
func (h *logHandler) Handle(ctx context.Context, r slog.Record) error {
	if kept := h.of(ctx); kept != nil {
		var text slog.Handler = slog.NewTextHandler(kept, &slog.HandlerOptions{Level: r.Level, ReplaceAttr: shortTime})
		for _, with := range h.with {
			text = with(text)
		}
		text.Handle(ctx, r.Clone()) // fails only if records do, which they do not
		ctx = context.WithValue(ctx, keptKey{}, true)
	}
	if !h.next.Enabled(ctx, r.Level) {
		return nil
	}
	return h.next.Handle(ctx, r)
}

// WithAttrs implements [slog.Handler].
func (h *logHandler) WithAttrs(as []slog.Attr) slog.Handler {
	return h.and(func(other slog.Handler) slog.Handler { return other.WithAttrs(as) })
}

// WithGroup implements [slog.Handler].
func (h *logHandler) WithGroup(name string) slog.Handler {
	return h.and(func(other slog.Handler) slog.Handler { return other.WithGroup(name) })
}

func (h *logHandler) and(with func(slog.Handler) slog.Handler) slog.Handler {
	return &logHandler{next: with(h.next), with: append(h.with[:len(h.with):len(h.with)], with), records: h.records}
}

// shortTime writes the time of a record as people read it, in UTC.
func shortTime(groups []string, a slog.Attr) slog.Attr {
	if len(groups) == 0 && a.Key == slog.TimeKey && a.Value.Kind() == slog.KindTime {
		a.Value = slog.StringValue(a.Value.Time().UTC().Format("15:04:05.000"))
	}
	return a
}
