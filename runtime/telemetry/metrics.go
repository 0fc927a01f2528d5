package telemetry

import (
	"context"
	"sync"
	"sync/atomic"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/dtaskhq/dtask/runtime/telemetry/internal/measure"
)

// A sink records in a meter of OpenTelemetry. Instruments and sets of attributes are
// made once, so that recording makes nothing.
type sink struct {
	meter  metric.Meter
	system attribute.KeyValue

	mu       sync.Mutex
	counters map[*measure.Metric]*counter
	histos   map[*measure.Metric]metric.Float64Histogram
}

func newSink(meter metric.Meter, system string) *sink {
	return &sink{
		meter: meter, system: attribute.String(measure.System, system),
		counters: make(map[*measure.Metric]*counter),
		histos:   make(map[*measure.Metric]metric.Float64Histogram),
	}
}

// Counter implements [measure.Sink]. The names are valid, so there is no error; the
// provider reports its own.
func (s *sink) Counter(m *measure.Metric, labels ...string) measure.Add {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.counters[m]
	if c == nil {
		c = new(counter)
		s.counters[m] = c
		_, _ = s.meter.Int64ObservableCounter(m.Name, metric.WithUnit(m.Unit), metric.WithDescription(m.Help), metric.WithInt64Callback(c.observe))
	}
	return c.series(metric.WithAttributeSet(s.set(m, labels)))
}

// A counter counts by itself, and tells the provider when that asks: a record of the
// provider costs as much as all else of an attempt.
type counter struct {
	mu  sync.Mutex
	all []*counted
}

type counted struct {
	n      atomic.Int64
	labels metric.ObserveOption
}

func (c *counter) series(labels metric.ObserveOption) measure.Add {
	one := &counted{labels: labels}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all = append(c.all, one)
	return func(_ context.Context, n int64) { one.n.Add(n) }
}

func (c *counter) observe(_ context.Context, o metric.Int64Observer) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, one := range c.all {
		o.Observe(one.n.Load(), one.labels)
	}
	return nil
}

// Histogram implements [measure.Sink]. The provider takes the trace from the context.
func (s *sink) Histogram(m *measure.Metric, labels ...string) measure.Observe {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.histos[m]
	if h == nil {
		h, _ = s.meter.Float64Histogram(m.Name, metric.WithUnit(m.Unit), metric.WithDescription(m.Help), metric.WithExplicitBucketBoundaries(m.Bounds...))
		s.histos[m] = h
	}
	options := []metric.RecordOption{metric.WithAttributeSet(s.set(m, labels))}
	return func(ctx context.Context, v float64, _ measure.Observed) { h.Record(ctx, v, options...) }
}

// set returns the attributes of a series. An empty label is no attribute.
func (s *sink) set(m *measure.Metric, labels []string) attribute.Set {
	as := []attribute.KeyValue{s.system}
	for i, v := range labels {
		if v != "" {
			as = append(as, attribute.String(m.Labels[i], v))
		}
	}
	return attribute.NewSet(as...)
}

// readMetrics registers the metrics that are read when the provider asks for them.
func (t *Telemetry) readMetrics() {
	if !t.options.otherAsks {
		t.measure.WatchBroker(measure.NewBroker(t.client))
	}
	s := newSink(t.meter, t.system())
	instruments := make(map[*measure.Metric]metric.Float64Observable)
	var all []metric.Observable
	for _, m := range measure.Read {
		var o metric.Float64Observable
		var err error
		if m.Kind == measure.Counter {
			o, err = t.meter.Float64ObservableCounter(m.Name, metric.WithUnit(m.Unit), metric.WithDescription(m.Help))
		} else {
			o, err = t.meter.Float64ObservableGauge(m.Name, metric.WithUnit(m.Unit), metric.WithDescription(m.Help))
		}
		if err == nil {
			instruments[m] = o
			all = append(all, o)
		}
	}
	_, err := t.meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		t.measure.Read(measure.Patience, func(m *measure.Metric, v float64, labels ...string) {
			if i := instruments[m]; i != nil {
				o.ObserveFloat64(i, v, metric.WithAttributeSet(s.set(m, labels)))
			}
		})
		return nil
	}, all...)
	if err != nil {
		t.client.Logger().Warn("metrics of queues and of running tasks are not there", "err", err)
	}
}
