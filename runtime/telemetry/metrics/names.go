package metrics

import (
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/dtaskhq/dtask/runtime/telemetry/internal/measure"
)

// nameOf returns the name of a metric as the exporters of OpenTelemetry spell it for
// Prometheus: with its unit, and _total at the end of a counter.
func nameOf(m *measure.Metric) string {
	name := labelOf(m.Name)
	if m.Unit == "s" {
		name += "_seconds"
	}
	if m.Kind == measure.Counter {
		name += "_total"
	}
	return name
}

// labelOf returns the name of a label.
func labelOf(name string) string { return strings.ReplaceAll(name, ".", "_") }

// labelsOf returns the labels of a metric, the system first.
func labelsOf(m *measure.Metric) []string {
	labels := []string{labelOf(measure.System)}
	for _, l := range m.Labels {
		labels = append(labels, labelOf(l))
	}
	return labels
}

func descOf(m *measure.Metric) *prometheus.Desc {
	return prometheus.NewDesc(nameOf(m), m.Help, labelsOf(m), nil)
}
