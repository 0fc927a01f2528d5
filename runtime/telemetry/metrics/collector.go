package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/dtaskhq/dtask/runtime/telemetry/internal/measure"
)

// A collector collects the metrics that are read.
type collector struct {
	meter    *measure.Meter
	system   string
	patience time.Duration // with the broker
}

// Describe implements [prometheus.Collector].
func (c *collector) Describe(ch chan<- *prometheus.Desc) {
	for _, m := range measure.Read {
		ch <- descOf(m)
	}
}

// Collect implements [prometheus.Collector].
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	c.meter.Read(c.patience, func(m *measure.Metric, v float64, labels ...string) {
		kind := prometheus.GaugeValue
		if m.Kind == measure.Counter {
			kind = prometheus.CounterValue
		}
		ch <- prometheus.MustNewConstMetric(descOf(m), kind, v, append([]string{c.system}, labels...)...)
	})
}
