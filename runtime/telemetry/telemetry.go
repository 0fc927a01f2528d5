package telemetry

import (
	"context"
	"sync"

	"go.opentelemetry.io/otel/metric"
	metricnoop "go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/trace"
	tracenoop "go.opentelemetry.io/otel/trace/noop"

	"github.com/dtaskhq/dtask/runtime/dtask"
	"github.com/dtaskhq/dtask/runtime/telemetry/internal/measure"
)

// scope is the name of the instrumentation.
const scope = "github.com/dtaskhq/dtask/runtime/telemetry"

func init() {
	measure.TraceOf = func(ctx context.Context) string {
		if sc := trace.SpanContextFromContext(ctx); sc.IsSampled() {
			return sc.TraceID().String()
		}
		return ""
	}
}

// A Telemetry makes the spans and the metrics of one client and its workers.
type Telemetry struct {
	client  *dtask.Client
	options options
	tracer  trace.Tracer
	meter   metric.Meter
	measure *measure.Meter
	spans   spanCache
	warning warnings
	reading sync.Once // the metrics that are read

	traced, measured bool // there are providers that do something
}

// New returns the telemetry of a client. Without options it has the providers that
// package otel has.
func New(client *dtask.Client, opts ...Option) *Telemetry {
	t := &Telemetry{client: client, options: defaults()}
	for _, o := range opts {
		o(&t.options)
	}
	_, noTraces := t.options.traces.(tracenoop.TracerProvider)
	_, noMetrics := t.options.metrics.(metricnoop.MeterProvider)
	t.traced, t.measured = !noTraces, !noMetrics
	t.tracer = t.options.traces.Tracer(scope)
	t.meter = t.options.metrics.Meter(scope)
	t.measure = measure.NewMeter(newSink(t.meter, t.system()))
	t.warning.log = client.Logger()
	return t
}

// Client returns the client with spans and metrics of what it enqueues.
func (t *Telemetry) Client() *dtask.Client {
	var middleware []dtask.EnqueueMiddleware
	if t.traced {
		middleware = append(middleware, t.enqueueSpans)
	} else {
		middleware = append(middleware, t.passOn)
	}
	if t.measured {
		middleware = append(middleware, t.measure.Enqueue)
	}
	return t.client.With(middleware...)
}

// Middleware makes the spans and the metrics of a worker's tasks.
func (t *Telemetry) Middleware(next dtask.HandleFunc) dtask.HandleFunc {
	if t.measured {
		t.reading.Do(t.readMetrics)
		next = t.measure.Handle(next)
	}
	if t.traced || t.options.parent > 0 || t.options.baggage != nil {
		next = t.processSpans(next)
	}
	return next
}

// Watch adds the metrics that only the worker itself knows. capacity is how many tasks
// of each queue it executes at a time.
func (t *Telemetry) Watch(w *dtask.Worker, capacity map[string]int) {
	t.measure.WatchWorker(w, capacity)
}

func (t *Telemetry) system() string { return measure.IdentityOf(t.client.Broker()).System }
