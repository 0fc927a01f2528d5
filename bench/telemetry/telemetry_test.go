// Package telemetry measures what traces and metrics cost a task, outside of its broker:
//
//	go test -run NONE -bench . ./telemetry
//
// What a row has more than the row "off" is the cost.
package telemetry

import (
	"context"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	metricnoop "go.opentelemetry.io/otel/metric/noop"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	tracenoop "go.opentelemetry.io/otel/trace/noop"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/dtask"
	"github.com/dtaskhq/dtask/runtime/telemetry"
)

// A discarder drops the spans that it is given, as an exporter without a network.
type discarder struct{}

func (discarder) ExportSpans(context.Context, []sdktrace.ReadOnlySpan) error { return nil }
func (discarder) Shutdown(context.Context) error                             { return nil }

// setups are the rows: nil is off.
func setups(b *testing.B) map[string][]telemetry.Option {
	traces := sdktrace.NewTracerProvider(sdktrace.WithBatcher(discarder{}))
	b.Cleanup(func() { _ = traces.Shutdown(context.Background()) })
	metrics := sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewManualReader()))
	return map[string][]telemetry.Option{
		"off":     nil,
		"metrics": {telemetry.Traces(tracenoop.NewTracerProvider()), telemetry.Metrics(metrics)},
		"traces":  {telemetry.Traces(traces), telemetry.Metrics(metricnoop.NewMeterProvider())},
		"both":    {telemetry.Traces(traces), telemetry.Metrics(metrics)},
	}
}

var rows = []string{"off", "metrics", "traces", "both"}

// void is a broker that takes everything, and keeps nothing.
type void struct{ broker.Broker }

func (void) Enqueue(context.Context, *broker.Message) error { return nil }
func (void) EnqueueMany(_ context.Context, ms []*broker.Message) []error {
	return make([]error, len(ms))
}

type args struct {
	Text string `json:"text"`
}

var task = dtask.Define[args, dtask.None]("example.com/shop/mail.Send", dtask.Spec{Queue: "mail", Retries: 3, Schema: "abcdef"})

// BenchmarkEnqueue calls Delay.
func BenchmarkEnqueue(b *testing.B) {
	all := setups(b)
	for _, row := range rows {
		b.Run(row, func(b *testing.B) {
			client := dtask.NewClient(void{})
			if all[row] != nil {
				client = telemetry.New(client, all[row]...).Client()
			}
			ctx := dtask.NewContext(b.Context(), client)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := task.Delay(ctx, args{"x"}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkExecute calls the middleware of a worker, around nothing.
func BenchmarkExecute(b *testing.B) {
	all := setups(b)
	for _, row := range rows {
		b.Run(row, func(b *testing.B) {
			handle := dtask.HandleFunc(func(context.Context, *dtask.Message) dtask.Outcome { return dtask.Outcome{Kind: dtask.OutcomeDone} })
			if all[row] != nil {
				handle = telemetry.New(dtask.NewClient(void{}), all[row]...).Middleware(handle)
			}
			m := &broker.Message{ID: "01a21a3e-9b9a-7898-9c7b-44d0f94cf33e", Task: task.Name(), Queue: "mail", Schema: "abcdef", Attempt: 1, Attempts: 4, EnqueuedAt: time.Now()}
			m.SetHeader("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
			b.ReportAllocs()
			for b.Loop() {
				handle(b.Context(), m)
			}
		})
	}
}

// BenchmarkBareSpan makes the span of an attempt with nothing but the SDK: the least that
// it can cost.
func BenchmarkBareSpan(b *testing.B) {
	traces := sdktrace.NewTracerProvider(sdktrace.WithBatcher(discarder{}))
	b.Cleanup(func() { _ = traces.Shutdown(context.Background()) })
	tracer := traces.Tracer("bench")
	known := trace.WithAttributes(
		attribute.String("messaging.system", "dtask"), attribute.String("messaging.operation.name", "process"),
		attribute.String("messaging.operation.type", "process"), attribute.String("messaging.destination.name", "mail"),
		attribute.String("dtask.task", task.Name()), attribute.String("dtask.schema", "abcdef"),
	)
	options := []trace.SpanStartOption{trace.WithSpanKind(trace.SpanKindConsumer), known}
	link := trace.Link{SpanContext: trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}})}
	b.ReportAllocs()
	for b.Loop() {
		_, span := tracer.Start(b.Context(), "process mail", options...)
		span.AddLink(link)
		span.SetAttributes(
			attribute.String("messaging.message.id", "01a21a3e-9b9a-7898-9c7b-44d0f94cf33e"),
			attribute.Int("dtask.attempt", 1), attribute.Int("dtask.attempts", 4), attribute.String("dtask.outcome", "done"),
		)
		span.End()
	}
}
