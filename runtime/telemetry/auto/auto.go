package auto

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"time"

	"github.com/go-logr/logr"
	"go.opentelemetry.io/contrib/exporters/autoexport"
	"go.opentelemetry.io/otel"
	metricnoop "go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/sdk/trace"
	tracenoop "go.opentelemetry.io/otel/trace/noop"

	"github.com/dtaskhq/dtask/runtime/dtask"
	"github.com/dtaskhq/dtask/runtime/telemetry"
	"github.com/dtaskhq/dtask/runtime/worker"
)

func init() {
	worker.Extend(worker.Extension{Name: "opentelemetry", Start: start})
}

// wanted reports whether a signal is to be exported: TRACES or METRICS.
func wanted(getenv func(string) string, signal string) bool {
	switch exporter := getenv("OTEL_" + signal + "_EXPORTER"); {
	case strings.EqualFold(getenv("OTEL_SDK_DISABLED"), "true"), exporter == "none":
		return false
	case exporter != "":
		return true
	}
	return getenv("OTEL_EXPORTER_OTLP_ENDPOINT") != "" || getenv("OTEL_EXPORTER_OTLP_"+signal+"_ENDPOINT") != ""
}

// start sets the providers of package otel, and adds telemetry to the process.
func start(p worker.Process) (*worker.Extended, error) {
	traces, metrics := wanted(p.Getenv, "TRACES"), wanted(p.Getenv, "METRICS")
	if p.Supervisor || !traces && !metrics {
		return nil, nil
	}
	options, err := optionsOf(p)
	if err != nil {
		return nil, err
	}
	if err := checkEndpoints(p.Getenv); err != nil {
		return nil, err
	}
	ctx := context.Background()
	// What of the resource cannot be found out is left out.
	of, _ := resource.New(ctx, resource.WithFromEnv(), resource.WithTelemetrySDK(), resource.WithHost(), resource.WithProcessPID())
	said := &complaints{log: p.Log}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(said.handle))
	otel.SetLogger(logr.FromSlogHandler(internalLog{said: said}))
	otel.SetTextMapPropagator(propagation.NewCompositeTextMapPropagator(propagation.TraceContext{}, propagation.Baggage{}))
	var closers []func(context.Context) error
	if traces {
		exporter, err := autoexport.NewSpanExporter(ctx)
		if err != nil {
			return nil, fmt.Errorf("traces, as OTEL_TRACES_EXPORTER and OTEL_EXPORTER_OTLP_PROTOCOL ask for them: %w", err)
		}
		provider := trace.NewTracerProvider(trace.WithBatcher(&watchedExporter{SpanExporter: exporter, said: said}), trace.WithResource(of))
		otel.SetTracerProvider(provider)
		closers = append(closers, provider.Shutdown)
	} else {
		options = append(options, telemetry.Traces(tracenoop.NewTracerProvider()))
	}
	if metrics {
		reader, err := autoexport.NewMetricReader(ctx)
		if err != nil {
			return nil, fmt.Errorf("metrics, as OTEL_METRICS_EXPORTER and OTEL_EXPORTER_OTLP_PROTOCOL ask for them: %w", err)
		}
		provider := metric.NewMeterProvider(metric.WithReader(reader), metric.WithResource(of))
		otel.SetMeterProvider(provider)
		closers = append(closers, provider.Shutdown)
	} else {
		options = append(options, telemetry.Metrics(metricnoop.NewMeterProvider()))
	}
	if err := said.start(); err != nil {
		closing, cancel := context.WithCancel(ctx)
		cancel() // there is nothing to send
		closeAll(closing, closers)
		return nil, fmt.Errorf("a variable OTEL_… is wrong: %w", err)
	}
	p.Log.Info("telemetry is exported", "traces", traces, "metrics", metrics)
	var t *telemetry.Telemetry
	return &worker.Extended{
		Opened: func(c *dtask.Client) *dtask.Client {
			t = telemetry.New(c, options...)
			return t.Client()
		},
		Middleware: func(next dtask.HandleFunc) dtask.HandleFunc { return t.Middleware(next) },
		Made:       func(w *dtask.Worker) { t.Watch(w, p.Queues) },
		Log:        func(h slog.Handler) slog.Handler { return telemetry.LogHandler(h) },
		Close:      func(ctx context.Context) error { return closeAll(ctx, closers) },
	}, nil
}

// checkEndpoints returns an error for an endpoint to which exporters could never send.
func checkEndpoints(getenv func(string) string) error {
	for _, name := range []string{"OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT"} {
		text := getenv(name)
		if text == "" {
			continue
		}
		u, err := url.Parse(text)
		if err != nil || u.Scheme != "unix" && (u.Host == "" || u.Scheme != "http" && u.Scheme != "https") {
			return fmt.Errorf("variable %s is no URL of a collector; use one such as http://collector:4318", name)
		}
	}
	return nil
}

// optionsOf reads the variables of dtask.
func optionsOf(p worker.Process) (options []telemetry.Option, err error) {
	if !p.First {
		options = append(options, telemetry.WithoutQueues())
	}
	if text := p.Getenv("DTASK_TRACE_PARENT"); text != "" {
		age, err := time.ParseDuration(text)
		if err != nil || age < 0 {
			return nil, fmt.Errorf("variable DTASK_TRACE_PARENT=%.40q: use a duration such as 1m", text)
		}
		options = append(options, telemetry.Parent(age))
	}
	if keys := p.Getenv("DTASK_TRACE_BAGGAGE"); keys != "" {
		options = append(options, telemetry.Baggage(strings.Split(keys, ",")...))
	}
	return options, nil
}

// closeAll sends what is left, until ctx ends, whatever the exporters do.
func closeAll(ctx context.Context, closers []func(context.Context) error) error {
	closed := make(chan error, len(closers))
	for _, c := range closers {
		go func() { closed <- c(ctx) }()
	}
	var errs []error
	for range closers {
		select {
		case err := <-closed:
			errs = append(errs, err)
		case <-ctx.Done():
			return errors.Join(append(errs, ctx.Err())...)
		}
	}
	return errors.Join(errs...)
}
