package metrics

import (
	"bytes"
	"cmp"
	"slices"
	"strings"
	"sync"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"google.golang.org/protobuf/proto"

	"github.com/dtaskhq/dtask/runtime/telemetry/internal/measure"
	"github.com/dtaskhq/dtask/runtime/worker"
)

// families are metrics as Prometheus gathers them.
type families = []*dto.MetricFamily

var format = expfmt.NewFormat(expfmt.TypeProtoDelim)

func encode(all families) []byte {
	var b bytes.Buffer
	e := expfmt.NewEncoder(&b, format)
	for _, f := range all {
		_ = e.Encode(f) // into memory
	}
	return b.Bytes()
}

func decode(report []byte) (all families) {
	d := expfmt.NewDecoder(bytes.NewReader(report), format)
	for {
		f := new(dto.MetricFamily)
		if d.Decode(f) != nil {
			return all // the end: both sides are one binary
		}
		all = append(all, f)
	}
}

// children are those of a supervisor.
type children struct {
	mu   sync.Mutex
	last worker.Children
}

func (c *children) set(last worker.Children) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last = last
}

// Gather implements [prometheus.Gatherer]. It returns the sums of the children that run,
// and of what those have counted that are gone.
func (c *children) Gather() (families, error) {
	c.mu.Lock()
	last := c.last
	c.mu.Unlock()
	s := make(sums)
	s.add(decode(last.Kept))
	for _, r := range last.Reports {
		s.add(decode(r))
	}
	crashes := float64(last.Crashes)
	s.add(families{{
		Name: proto.String(nameOf(measure.Crashes)), Help: proto.String(measure.Crashes.Help), Type: dto.MetricType_COUNTER.Enum(),
		Metric: []*dto.Metric{{Counter: &dto.Counter{Value: &crashes}}},
	}})
	return s.families(), nil
}

// remember adds what a child has counted to what is kept of others. What it measured of
// its own state is gone with it.
func remember(kept, last []byte) []byte {
	s := make(sums)
	s.add(decode(kept))
	for _, f := range decode(last) {
		if f.GetType() == dto.MetricType_COUNTER || f.GetType() == dto.MetricType_HISTOGRAM {
			s.add(families{f})
		}
	}
	return encode(s.families())
}

// sums are metrics of several processes, by name.
type sums map[string]*sum

type sum struct {
	family *dto.MetricFamily
	series map[string]*dto.Metric // by labels
}

func (s sums) add(all families) {
	for _, f := range all {
		x := s[f.GetName()]
		if x == nil {
			x = &sum{
				family: &dto.MetricFamily{Name: f.Name, Help: f.Help, Type: f.Type, Unit: f.Unit},
				series: make(map[string]*dto.Metric),
			}
			s[f.GetName()] = x
		}
		if f.GetType() != x.family.GetType() {
			continue // not of one binary
		}
		for _, m := range f.Metric {
			key := labelsKey(m)
			if present := x.series[key]; present != nil {
				addTo(present, m, greatest(f.GetName()))
			} else {
				x.series[key] = proto.Clone(m).(*dto.Metric)
			}
		}
	}
}

// greatest reports whether the greatest of several values of a gauge says more than
// their sum: times, and facts that are 1.
func greatest(name string) bool {
	return strings.HasSuffix(name, "_info") || strings.HasSuffix(name, "_time_seconds") || strings.HasSuffix(name, "_timestamp_seconds")
}

func labelsKey(m *dto.Metric) string {
	var b strings.Builder
	for _, l := range m.Label { // sorted
		b.WriteString(l.GetName() + "\x00" + l.GetValue() + "\x00")
	}
	return b.String()
}

// addTo adds the values of m to those of sum.
func addTo(sum, m *dto.Metric, greatest bool) {
	switch {
	case m.Counter != nil:
		sum.Counter.Value = proto.Float64(sum.Counter.GetValue() + m.Counter.GetValue())
	case m.Gauge != nil && greatest:
		sum.Gauge.Value = proto.Float64(max(sum.Gauge.GetValue(), m.Gauge.GetValue()))
	case m.Gauge != nil:
		sum.Gauge.Value = proto.Float64(sum.Gauge.GetValue() + m.Gauge.GetValue())
	case m.Untyped != nil:
		sum.Untyped.Value = proto.Float64(sum.Untyped.GetValue() + m.Untyped.GetValue())
	case m.Summary != nil: // quantiles have no sum
		sum.Summary.Quantile = nil
		sum.Summary.SampleCount = proto.Uint64(sum.Summary.GetSampleCount() + m.Summary.GetSampleCount())
		sum.Summary.SampleSum = proto.Float64(sum.Summary.GetSampleSum() + m.Summary.GetSampleSum())
	case m.Histogram != nil:
		addHistogram(sum.Histogram, m.Histogram)
	}
}

// addHistogram adds the counts of h, which has the same buckets. Of two exemplars the
// newer one stays.
func addHistogram(sum, h *dto.Histogram) {
	sum.SampleCount = proto.Uint64(sum.GetSampleCount() + h.GetSampleCount())
	sum.SampleSum = proto.Float64(sum.GetSampleSum() + h.GetSampleSum())
	for i, b := range h.Bucket {
		if i >= len(sum.Bucket) || sum.Bucket[i].GetUpperBound() != b.GetUpperBound() {
			return
		}
		to := sum.Bucket[i]
		to.CumulativeCount = proto.Uint64(to.GetCumulativeCount() + b.GetCumulativeCount())
		if b.Exemplar != nil && (to.Exemplar == nil || b.Exemplar.GetTimestamp().AsTime().After(to.Exemplar.GetTimestamp().AsTime())) {
			to.Exemplar = b.Exemplar
		}
	}
}

// families returns the sums, sorted.
func (s sums) families() families {
	var all families
	for _, x := range s {
		for _, m := range x.series {
			x.family.Metric = append(x.family.Metric, m)
		}
		slices.SortFunc(x.family.Metric, func(a, b *dto.Metric) int { return cmp.Compare(labelsKey(a), labelsKey(b)) })
		all = append(all, x.family)
	}
	slices.SortFunc(all, func(a, b *dto.MetricFamily) int { return cmp.Compare(a.GetName(), b.GetName()) })
	return all
}
