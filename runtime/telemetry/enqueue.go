package telemetry

import (
	"context"
	"slices"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/dtaskhq/dtask/runtime/dtask"
	"github.com/dtaskhq/dtask/runtime/telemetry/internal/measure"
)

// enqueueSpans makes the spans of a producer.
func (t *Telemetry) enqueueSpans(next dtask.EnqueueFunc) dtask.EnqueueFunc {
	return func(ctx context.Context, ms []*dtask.Message) []error {
		switch len(ms) {
		case 0:
			return next(ctx, ms)
		case 1:
			return t.sendOne(ctx, ms, next)
		}
		return t.sendBatch(ctx, ms, next)
	}
}

// sendOne makes the span of one message, whose context the message carries on.
func (t *Telemetry) sendOne(ctx context.Context, ms []*dtask.Message, next dtask.EnqueueFunc) []error {
	m := ms[0]
	kind := t.kind(spanKey{send, m.Queue, m.Task, m.Schema}, trace.SpanKindProducer)
	created := t.created(m)
	ctx, span := t.tracer.Start(ctx, kind.name, kind.options...)
	defer span.End()
	if span.IsRecording() {
		span.SetAttributes(delayOf(t.of(m), m)...)
	}
	if created.IsValid() { // the caller has chosen it
		span.AddLink(trace.Link{SpanContext: created})
		t.injectBaggage(ctx, m)
	} else {
		t.inject(ctx, m)
	}
	errs := next(ctx, ms)
	if len(errs) > 0 {
		failed(span, errs[0])
	}
	return errs
}

// maxLinks bounds the links of a span. The providers have the same bound.
const maxLinks = 128

// sendBatch makes the span of a batch, and one for each message unless they are not
// wanted.
func (t *Telemetry) sendBatch(ctx context.Context, ms []*dtask.Message, next dtask.EnqueueFunc) []error {
	key, as := spanKey{operation: send, queue: ms[0].Queue}, trace.SpanKindProducer
	for _, m := range ms {
		if m.Queue != key.queue {
			key.queue = ""
		}
	}
	var links []trace.Link
	if !t.options.noCreates {
		as = trace.SpanKindClient
		links = t.createEach(ctx, ms)
	}
	kind := t.kind(key, as)
	ctx, span := t.tracer.Start(ctx, kind.name, append(slices.Clip(kind.options), trace.WithLinks(links...))...)
	defer span.End()
	if span.IsRecording() {
		span.SetAttributes(t.server([]attribute.KeyValue{semconv.MessagingBatchMessageCount(len(ms))})...)
	}
	if t.options.noCreates {
		for _, m := range ms {
			if _, chosen := m.Headers[traceParentHeader]; !chosen {
				t.inject(ctx, m)
			}
		}
	}
	errs := next(ctx, ms)
	for _, err := range errs {
		if err != nil {
			failed(span, err)
			break
		}
	}
	return errs
}

// createEach makes a span for each message, whose context the message carries on. It
// returns links to the first ones.
func (t *Telemetry) createEach(ctx context.Context, ms []*dtask.Message) (links []trace.Link) {
	for _, m := range ms {
		sc := t.created(m)
		if !sc.IsValid() {
			kind := t.kind(spanKey{create, m.Queue, m.Task, m.Schema}, trace.SpanKindProducer)
			created, span := t.tracer.Start(ctx, kind.name, kind.options...)
			if span.IsRecording() {
				span.SetAttributes(delayOf(t.of(m), m)...)
			}
			t.inject(created, m)
			span.End()
			sc = span.SpanContext()
		}
		if len(links) < maxLinks && sc.IsValid() {
			links = append(links, trace.Link{SpanContext: sc})
		}
	}
	return links
}

// failed notes that an operation of a client has failed.
func failed(span trace.Span, err error) {
	if err == nil || !span.IsRecording() {
		return
	}
	span.SetAttributes(semconv.ErrorTypeKey.String(measure.EnqueueFailed(err)))
	span.SetStatus(codes.Error, textOf(err))
}
