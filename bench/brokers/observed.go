package brokers

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/dtaskhq/dtask/runtime/dtask"
	"github.com/dtaskhq/dtask/runtime/telemetry"
)

// allSampled makes spans, each of which goes to an exporter that drops it.
func allSampled() *sdktrace.TracerProvider {
	return sdktrace.NewTracerProvider(sdktrace.WithBatcher(tracetest.NewNoopExporter()))
}

// openObserved opens dtask with traces, each of them sampled, and metrics.
func openObserved(ctx context.Context, s setup) (system, error) {
	client, err := dtask.Open(ctx, s.place)
	if err != nil {
		return nil, err
	}
	t := telemetry.New(client, telemetry.Traces(allSampled()),
		telemetry.Metrics(sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewManualReader()))))
	return newDtask(t.Client(), s, t.Middleware)
}

// openBareSpans opens dtask with two spans for each task that are made with nothing but
// the SDK: the least that traces can cost.
func openBareSpans(ctx context.Context, s setup) (system, error) {
	client, err := dtask.Open(ctx, s.place)
	if err != nil {
		return nil, err
	}
	tracer := allSampled().Tracer("bench")
	known := trace.WithAttributes(
		attribute.String("messaging.system", "dtask"), attribute.String("messaging.operation.name", "process"),
		attribute.String("messaging.operation.type", "process"), attribute.String("messaging.destination.name", "bench"),
		attribute.String("dtask.task", dtaskTask.Name()), attribute.String("dtask.schema", "0123456789abcdef"),
	)
	send := func(next dtask.EnqueueFunc) dtask.EnqueueFunc {
		return func(ctx context.Context, ms []*dtask.Message) []error {
			ctx, span := tracer.Start(ctx, "send bench", trace.WithSpanKind(trace.SpanKindProducer), known)
			defer span.End()
			return next(ctx, ms)
		}
	}
	process := func(next dtask.HandleFunc) dtask.HandleFunc {
		return func(ctx context.Context, m *dtask.Message) dtask.Outcome {
			ctx, span := tracer.Start(ctx, "process bench", trace.WithSpanKind(trace.SpanKindConsumer), known)
			defer span.End()
			return next(ctx, m)
		}
	}
	return newDtask(client.With(send), s, process)
}
