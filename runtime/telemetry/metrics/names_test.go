//go:build unix

package metrics

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	promclient "github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/sdk/metric"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/dtask"
	"github.com/dtaskhq/dtask/runtime/telemetry"
	"github.com/dtaskhq/dtask/runtime/worker"
)

// An exporter of OpenTelemetry gives the metrics the same names, kinds and labels.
func TestNamesAreThoseOfOpenTelemetry(t *testing.T) {
	t.Parallel()
	registry := promclient.NewRegistry()
	reader, err := prometheus.New(prometheus.WithRegisterer(registry), prometheus.WithoutScopeInfo(), prometheus.WithoutTargetInfo())
	if err != nil {
		t.Fatal(err)
	}
	client := open(t, "sqlite:"+t.TempDir()+"/tasks.db", dtask.WithOutbox(lateOutbox{}))
	other := telemetry.New(client, telemetry.Metrics(metric.NewMeterProvider(metric.WithReader(reader))))
	own := &process{of: worker.Process{First: true, Queues: map[string]int{"mail": 10}}}
	client = own.opened(other.Client())
	ctx, stop := context.WithCancel(dtask.NewContext(t.Context(), client))
	for _, text := range []string{"more", "fail"} {
		if _, err := noteTask.Delay(ctx, args{text}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := noteTask.Delay(ctx, args{}, dtask.Queue("full")); err != nil {
		t.Fatal(err)
	}
	handled := make(chan struct{}, 10)
	w, err := dtask.NewWorker(client, dtask.WorkerConfig{Middleware: []dtask.Middleware{func(next dtask.HandleFunc) dtask.HandleFunc {
		return func(ctx context.Context, m *dtask.Message) dtask.Outcome {
			defer func() { handled <- struct{}{} }()
			return next(ctx, m)
		}
	}, other.Middleware, own.middleware}}, table())
	if err != nil {
		t.Fatal(err)
	}
	own.made(w)
	other.Watch(w, own.of.Queues)
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	for range 3 {
		<-handled
	}
	ours, err := own.Gather()
	theirs, errTheirs := registry.Gather()
	stop()
	if err := errors.Join(err, errTheirs, <-ended); err != nil {
		t.Fatal(err)
	}
	a, b := shapes(ours), shapes(theirs)
	if !maps.Equal(a, b) {
		for name := range a {
			if a[name] != b[name] {
				t.Errorf("%s is %q here, and %q by OpenTelemetry", name, a[name], b[name])
			}
		}
		for name := range b {
			if a[name] == "" {
				t.Errorf("%s is not here", name)
			}
		}
	}
	if a["dtask_outbox_latency_seconds"] != "GAUGE dtask_place,messaging_system" {
		t.Errorf("the outbox is late, and its metric is %q", a["dtask_outbox_latency_seconds"])
	}
	if len(a) < 15 {
		t.Errorf("only %d metrics: %v", len(a), slices.Sorted(maps.Keys(a)))
	}
}

// shapes returns the kinds and labels of the metrics of dtask, by name.
func shapes(all families) map[string]string {
	s := make(map[string]string)
	for _, f := range all { // but for what is looked for in the background
		if f.GetName() == "dtask_queue_orphaned" || !strings.HasPrefix(f.GetName(), "dtask_") && !strings.HasPrefix(f.GetName(), "messaging_") {
			continue
		}
		labels := make(map[string]bool)
		for _, m := range f.Metric {
			for _, l := range m.Label {
				if l.GetValue() != "" { // the same as none
					labels[l.GetName()] = true
				}
			}
		}
		s[f.GetName()] = f.GetType().String() + " " + strings.Join(slices.Sorted(maps.Keys(labels)), ",")
	}
	return s
}

// lateOutbox is an outbox in which messages wait.
type lateOutbox struct{ broker.Outbox }

func (lateOutbox) Waiting(context.Context) ([]broker.Backlog, error) {
	return []broker.Backlog{{For: "elsewhere", Messages: 2, Oldest: time.Now().Add(-time.Hour)}}, nil
}

func (lateOutbox) Relay(broker.Broker, *slog.Logger) broker.Relay { return noRelay{} }

type noRelay struct{ broker.Relay }

func (noRelay) Stop() {}
