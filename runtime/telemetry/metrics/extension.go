package metrics

import (
	"context"
	"log/slog"
	"net/http"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/dtaskhq/dtask/runtime/dtask"
	"github.com/dtaskhq/dtask/runtime/telemetry/internal/measure"
	"github.com/dtaskhq/dtask/runtime/worker"
)

func init() {
	worker.Extend(worker.Extension{Name: "prometheus", Start: start})
}

// start adds metrics to a process whose probes are answered.
func start(p worker.Process) (*worker.Extended, error) {
	switch {
	case !p.Serves:
		return nil, nil
	case p.Supervisor:
		s := new(children)
		return &worker.Extended{Children: s.set, Remember: remember, Handlers: handlers(s, p.Log)}, nil
	}
	m := &process{of: p}
	x := &worker.Extended{Opened: m.opened, Middleware: m.middleware, Made: m.made}
	if p.Child {
		x.Report = m.report
	} else {
		x.Handlers = handlers(m, p.Log)
	}
	return x, nil
}

// A process measures itself.
type process struct {
	of       worker.Process
	meter    *measure.Meter
	gatherer atomic.Pointer[prometheus.Gatherers] // nil until the broker has answered
}

// opened makes the meter, and wraps the client.
func (m *process) opened(c *dtask.Client) *dtask.Client {
	registry := prometheus.NewRegistry()
	system := measure.IdentityOf(c.Broker()).System
	m.meter = measure.NewMeter(newSink(system, registry))
	reads := &collector{meter: m.meter, system: system}
	if !m.of.Child { // a child reports every second, and does not wait for that
		reads.patience = measure.Patience
	}
	registry.MustRegister(reads)
	if m.of.First {
		m.meter.WatchBroker(measure.NewBroker(c))
	}
	m.gatherer.Store(&prometheus.Gatherers{registry, prometheus.DefaultGatherer})
	return c.With(m.meter.Enqueue)
}

func (m *process) middleware(next dtask.HandleFunc) dtask.HandleFunc { return m.meter.Handle(next) }

func (m *process) made(w *dtask.Worker) { m.meter.WatchWorker(w, m.of.Queues) }

// Gather implements [prometheus.Gatherer].
func (m *process) Gather() (families, error) {
	g := m.gatherer.Load()
	if g == nil {
		return prometheus.DefaultGatherer.Gather()
	}
	return g.Gather()
}

// report returns the metrics of a child, for its supervisor. What cannot be gathered is
// left out.
func (m *process) report() []byte {
	all, _ := m.Gather()
	return encode(all)
}

// handlers answer Prometheus.
func handlers(g prometheus.Gatherer, log *slog.Logger) map[string]http.Handler {
	return map[string]http.Handler{
		"GET /autoscale": &autoscaler{gatherer: g},
		"GET /metrics": promhttp.HandlerFor(g, promhttp.HandlerOpts{
			EnableOpenMetrics: true, // for exemplars
			ErrorHandling:     promhttp.ContinueOnError,
			ErrorLog:          slog.NewLogLogger(quiet{log.Handler()}, slog.LevelWarn),
		}),
	}
}

// quiet is a handler that says the same only once: Prometheus asks every few seconds.
type quiet struct{ slog.Handler }

var said atomic.Bool

// Handle implements [slog.Handler].
func (q quiet) Handle(ctx context.Context, r slog.Record) error {
	if said.Swap(true) {
		return nil
	}
	return q.Handler.Handle(ctx, r)
}
