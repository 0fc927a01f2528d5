package telemetry

import (
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"
)

// An Option is a setting of [New].
type Option func(*options)

type options struct {
	traces    trace.TracerProvider
	metrics   metric.MeterProvider
	parent    time.Duration
	noCreates bool
	baggage   map[string]bool
	otherAsks bool // another process asks the broker for the state of its queues
}

func defaults() options {
	return options{traces: otel.GetTracerProvider(), metrics: otel.GetMeterProvider()}
}

// Traces sets the provider of traces.
func Traces(p trace.TracerProvider) Option {
	return func(o *options) { o.traces = p }
}

// Metrics sets the provider of metrics.
func Metrics(p metric.MeterProvider) Option {
	return func(o *options) { o.metrics = p }
}

// Parent makes an attempt part of the trace in which its message was enqueued, if that
// was at most maxAge ago. Older messages have a trace of their own, which has a link to
// the other; so have all messages without this option, as the conventions of
// OpenTelemetry want it.
func Parent(maxAge time.Duration) Option {
	return func(o *options) { o.parent = maxAge }
}

// WithoutCreateSpans makes no span for each message of a batch. All of them have the
// trace context of the batch.
func WithoutCreateSpans() Option {
	return func(o *options) { o.noCreates = true }
}

// Baggage passes members of the baggage on to tasks. Without it none is passed on, as
// baggage may be secret and of any size.
func Baggage(keys ...string) Option {
	return func(o *options) {
		if o.baggage == nil {
			o.baggage = make(map[string]bool)
		}
		for _, k := range keys {
			o.baggage[k] = true
		}
	}
}

// WithoutQueues leaves out the metrics of the broker's queues: another process has them.
func WithoutQueues() Option {
	return func(o *options) { o.otherAsks = true }
}
