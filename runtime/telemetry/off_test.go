package telemetry_test

import (
	"context"
	"testing"

	metricnoop "go.opentelemetry.io/otel/metric/noop"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/trace"
	tracenoop "go.opentelemetry.io/otel/trace/noop"

	"github.com/dtaskhq/dtask/runtime/dtask"
	"github.com/dtaskhq/dtask/runtime/telemetry"
)

// A program that only measures makes no spans, and passes on the trace that it is in. One
// that measures nothing costs an attempt nothing.
func TestMetricsAlone(t *testing.T) {
	onEachBroker(t, func(t *testing.T, url string) {
		s := newSystem(t, url)
		reader := sdkmetric.NewManualReader()
		s.options = []telemetry.Option{
			telemetry.Traces(tracenoop.NewTracerProvider()),
			telemetry.Metrics(sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))),
		}
		s.client = telemetry.New(dtask.NewClient(s.client.Broker()), s.options...).Client()
		of, span := s.provider.Tracer("web").Start(s.ctx(), "POST /orders")
		defer span.End()
		if _, err := orderTask.Delay(of, args{"x"}); err != nil {
			t.Fatal(err)
		}
		if _, err := dtask.DelayMany(of, invoiceTask, []args{{"y"}, {"z"}}); err != nil {
			t.Fatal(err)
		}
		headers := make(chan string, 3)
		seen := func(next dtask.HandleFunc) dtask.HandleFunc {
			return func(ctx context.Context, m *dtask.Message) dtask.Outcome {
				if trace.SpanContextFromContext(ctx).IsValid() {
					t.Error("an attempt has a span")
				}
				o := next(ctx, m)
				headers <- m.Headers["traceparent"]
				return o
			}
		}
		nothing := func(context.Context, string) error { return nil }
		w, err := dtask.NewWorker(s.client, dtask.WorkerConfig{Middleware: []dtask.Middleware{seen, telemetry.New(s.client, s.options...).Middleware}},
			dtask.Table{bind(orderTask, nothing), bind(invoiceTask, nothing)})
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- w.Run(ctx) }()
		want := "00-" + span.SpanContext().TraceID().String() + "-" + span.SpanContext().SpanID().String() + "-01"
		for range 3 {
			if got := <-headers; got != want {
				t.Errorf("traceparent %q, want %q", got, want)
			}
		}
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		var all metricdata.ResourceMetrics
		if err := reader.Collect(t.Context(), &all); err != nil {
			t.Fatal(err)
		}
		counts := make(map[string]int64)
		for _, m := range all.ScopeMetrics[0].Metrics {
			if sum, ok := m.Data.(metricdata.Sum[int64]); ok && sum.IsMonotonic && sum.Temporality == metricdata.CumulativeTemporality {
				for _, p := range sum.DataPoints {
					counts[m.Name] += p.Value
				}
			}
		}
		for _, name := range []string{"messaging.client.sent.messages", "messaging.client.consumed.messages", "dtask.attempts"} {
			if counts[name] != 3 {
				t.Errorf("%s is %d, want 3: %v", name, counts[name], counts)
			}
		}
	})
}

// Who has switched all of it off gets back what was given.
func TestAllOff(t *testing.T) {
	all := telemetry.New(dtask.NewClient(nil), telemetry.Traces(tracenoop.NewTracerProvider()), telemetry.Metrics(metricnoop.NewMeterProvider()))
	handle := all.Middleware(func(context.Context, *dtask.Message) dtask.Outcome { return dtask.Outcome{Kind: dtask.OutcomeDone} })
	m := &dtask.Message{ID: "1", Task: orderTask.Name(), Queue: "mail", Attempt: 1, Attempts: 4}
	if n := testing.AllocsPerRun(100, func() { handle(t.Context(), m) }); n > 0 {
		t.Errorf("%v allocations of what is off", n)
	}
}
