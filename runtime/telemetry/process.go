package telemetry

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/dtaskhq/dtask/runtime/dtask"
	"github.com/dtaskhq/dtask/runtime/internal/inside"
	"github.com/dtaskhq/dtask/runtime/telemetry/internal/measure"
)

// processSpans makes the spans of a consumer: one for each attempt.
func (t *Telemetry) processSpans(next dtask.HandleFunc) dtask.HandleFunc {
	return func(ctx context.Context, m *dtask.Message) (o dtask.Outcome) {
		attempt := m.Attempt // as it was delivered
		spanning, span := t.start(t.withBaggage(ctx, m), m)
		if !span.IsRecording() {
			return next(spanning, m)
		}
		defer func() {
			t.describe(spanning, span, m, attempt, o)
			span.End()
		}()
		inside.LogContext(ctx, spanning)
		return next(spanning, m)
	}
}

// start starts the span of an attempt. It is a child of the span that created the
// message, or has a link to it. It is never a child of what the worker itself runs in.
func (t *Telemetry) start(ctx context.Context, m *dtask.Message) (context.Context, trace.Span) {
	kind := t.kind(spanKey{process, m.Queue, m.Task, m.Schema}, trace.SpanKindConsumer)
	created := t.created(m)
	if created.IsValid() && t.options.parent > 0 && time.Since(m.EnqueuedAt) <= t.options.parent {
		return t.tracer.Start(trace.ContextWithRemoteSpanContext(ctx, created), kind.name, kind.options...)
	}
	options := kind.options
	if trace.SpanContextFromContext(ctx).IsValid() {
		options = append(slices.Clip(options), trace.WithNewRoot())
	}
	ctx, span := t.tracer.Start(ctx, kind.name, options...)
	if created.IsValid() {
		span.AddLink(trace.Link{SpanContext: created})
	}
	return ctx, span
}

// describe says in a span what became of an attempt. There is no outcome if other
// middleware has panicked, which the worker says.
func (t *Telemetry) describe(ctx context.Context, span trace.Span, m *dtask.Message, attempt int, o dtask.Outcome) {
	as := append(t.of(m), attemptKey.Int(attempt), attemptsKey.Int(m.Attempts))
	if o.Kind == 0 {
		span.SetAttributes(append(as, semconv.ErrorTypeKey.String("panic"))...)
		span.SetStatus(codes.Error, "middleware panicked")
		return
	}
	as = append(as, outcomeKey.String(o.Kind.String()))
	if o.In > 0 {
		as = append(as, delayKey.Float64(o.In.Round(time.Millisecond).Seconds()))
	}
	failed := measure.AttemptFailed(ctx, o)
	if failed == "" {
		span.SetAttributes(as...)
		return
	}
	span.SetAttributes(append(as, semconv.ErrorTypeKey.String(failed))...)
	if o.Kind == dtask.OutcomeHandedBack || o.Kind == dtask.OutcomeCancelled {
		return // no failure of the task
	}
	text := textOf(o.Err)
	span.SetStatus(codes.Error, text)
	event := []attribute.KeyValue{semconv.ExceptionType(failed), semconv.ExceptionMessage(text)}
	if panicked := new(*dtask.PanicError); errors.As(o.Err, panicked) {
		event = append(event, semconv.ExceptionStacktrace((*panicked).Stack))
	}
	span.AddEvent(semconv.ExceptionEventName, trace.WithAttributes(event...))
}

// textOf returns the text of an error. Its method may be the user's, and may panic;
// package fmt survives that.
func textOf(err error) string { return clip(fmt.Sprint(err)) }
