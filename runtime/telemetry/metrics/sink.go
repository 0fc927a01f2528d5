package metrics

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/dtaskhq/dtask/runtime/telemetry/internal/measure"
)

// A sink records in metrics of Prometheus.
type sink struct {
	system   string
	registry *prometheus.Registry

	mu       sync.Mutex
	counters map[*measure.Metric]*prometheus.CounterVec
	histos   map[*measure.Metric]*prometheus.HistogramVec
}

func newSink(system string, registry *prometheus.Registry) *sink {
	return &sink{
		system: system, registry: registry,
		counters: make(map[*measure.Metric]*prometheus.CounterVec),
		histos:   make(map[*measure.Metric]*prometheus.HistogramVec),
	}
}

// Counter implements [measure.Sink].
func (s *sink) Counter(m *measure.Metric, labels ...string) measure.Add {
	s.mu.Lock()
	defer s.mu.Unlock()
	vec := s.counters[m]
	if vec == nil {
		vec = prometheus.NewCounterVec(prometheus.CounterOpts{Name: nameOf(m), Help: m.Help}, labelsOf(m))
		s.registry.MustRegister(vec)
		s.counters[m] = vec
	}
	c := vec.WithLabelValues(append([]string{s.system}, labels...)...)
	return func(_ context.Context, n int64) { c.Add(float64(n)) }
}

// exemplarEvery is how often a series gets an exemplar at most: it costs more than all
// else of a record, and Prometheus keeps one for each time that it asks.
const exemplarEvery = time.Second

// Histogram implements [measure.Sink].
func (s *sink) Histogram(m *measure.Metric, labels ...string) measure.Observe {
	s.mu.Lock()
	defer s.mu.Unlock()
	vec := s.histos[m]
	if vec == nil {
		vec = prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: nameOf(m), Help: m.Help, Buckets: m.Bounds}, labelsOf(m))
		s.registry.MustRegister(vec)
		s.histos[m] = vec
	}
	h := vec.WithLabelValues(append([]string{s.system}, labels...)...)
	exemplars := h.(prometheus.ExemplarObserver) // all histograms are
	start := time.Now()
	var next atomic.Int64 // when an exemplar is wanted, after start
	return func(ctx context.Context, v float64, whose measure.Observed) {
		now := int64(time.Since(start))
		if at := next.Load(); now >= at {
			if trace := whose.Trace(ctx); trace != "" && next.CompareAndSwap(at, now+int64(exemplarEvery)) {
				exemplars.ObserveWithExemplar(v, prometheus.Labels{"trace_id": trace})
				return
			}
		}
		h.Observe(v)
	}
}
