package telemetry

import (
	"context"
	"log/slog"
	"slices"

	"go.opentelemetry.io/otel/trace"
)

// LogHandler returns a handler that adds trace_id and span_id to the records of a
// context with a span, and passes them on to next. So it does for what tasks log, and
// for what the worker logs of their outcomes:
//
//	slog.SetDefault(slog.New(telemetry.LogHandler(handler)))
func LogHandler(next slog.Handler) slog.Handler { return &logHandler{next: next} }

// A logHandler adds the ids outside of all groups. Once there is a group, which can only
// be undone by beginning again, it keeps what was asked of it since.
type logHandler struct {
	next    slog.Handler
	outer   slog.Handler                      // next before the first group
	grouped []func(slog.Handler) slog.Handler // what made next of outer
}

func (h *logHandler) Enabled(ctx context.Context, l slog.Level) bool { return h.next.Enabled(ctx, l) }

func (h *logHandler) Handle(ctx context.Context, r slog.Record) error {
	sc := trace.SpanContextFromContext(ctx)
	if !sc.IsValid() {
		return h.next.Handle(ctx, r)
	}
	ids := []slog.Attr{slog.String("trace_id", sc.TraceID().String()), slog.String("span_id", sc.SpanID().String())}
	if h.outer == nil {
		r = r.Clone()
		r.AddAttrs(ids...)
		return h.next.Handle(ctx, r)
	}
	next := h.outer.WithAttrs(ids)
	for _, f := range h.grouped {
		next = f(next)
	}
	return next.Handle(ctx, r)
}

func (h *logHandler) WithAttrs(as []slog.Attr) slog.Handler {
	with := func(h slog.Handler) slog.Handler { return h.WithAttrs(as) }
	if h.outer == nil {
		return &logHandler{next: with(h.next)}
	}
	return h.grouping(with)
}

func (h *logHandler) WithGroup(name string) slog.Handler {
	if name == "" {
		return h
	}
	return h.grouping(func(h slog.Handler) slog.Handler { return h.WithGroup(name) })
}

func (h *logHandler) grouping(f func(slog.Handler) slog.Handler) slog.Handler {
	outer := h.outer
	if outer == nil {
		outer = h.next
	}
	return &logHandler{next: f(h.next), outer: outer, grouped: append(slices.Clip(h.grouped), f)}
}
