package metrics

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/dtaskhq/dtask/runtime/telemetry/internal/measure"
)

// An autoscaler says how many workers a queue needs. A worker is what answers here: a
// process, or a supervisor with its children.
type autoscaler struct {
	gatherer prometheus.Gatherer

	mu     sync.Mutex
	before map[string][]sample // by queue, oldest first
}

// A sample is how long attempts have taken until a time.
type sample struct {
	at             time.Time
	seconds, count float64
}

const (
	// wantedLatency is the latency if the request names none.
	wantedLatency = 30 * time.Second

	// meanOver is the time over which the mean of attempts is taken, and meanSamples
	// how many samples are kept for it.
	meanOver    = 10 * time.Minute
	meanSamples = 20
)

// A need is the answer.
type need struct {
	Queue   string  `json:"queue"`
	Need    int     `json:"need"`            // workers
	Ready   float64 `json:"ready"`           // messages that wait
	Running float64 `json:"running"`         // tasks that run, as far as that is known
	Mean    float64 `json:"mean_seconds"`    // of an attempt; 0: not known
	Latency float64 `json:"latency_seconds"` // within which what waits is to be done
	Worker  float64 `json:"worker_capacity"` // tasks that one worker runs at a time
}

// ServeHTTP answers ?queue=mail&latency=30s.
func (a *autoscaler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	queue, latency := r.FormValue("queue"), wantedLatency
	if text := r.FormValue("latency"); text != "" {
		var err error
		if latency, err = time.ParseDuration(text); err != nil || latency <= 0 {
			http.Error(w, "latency: use a duration such as 30s", http.StatusBadRequest)
			return
		}
	}
	all, err := a.gatherer.Gather()
	read := readings(all)
	n := need{Queue: queue, Latency: latency.Seconds(), Worker: read.of("dtask_worker_capacity", queue, "").value}
	switch {
	case n.Worker == 0:
		http.Error(w, fmt.Sprintf("queue %.60q is not consumed here; ask with ?queue=", queue), http.StatusNotFound)
		return
	case !read.of("dtask_queue_messages", queue, "ready").found:
		http.Error(w, fmt.Sprintf("the broker has not said how many messages wait: %v", err), http.StatusServiceUnavailable)
		return
	}
	n.Ready = read.of("dtask_queue_messages", queue, "ready").value
	n.Running = read.of("dtask_queue_messages", queue, "running").value
	took := read.of("messaging_process_duration_seconds", queue, "")
	n.Mean = a.mean(queue, sample{time.Now(), took.value, took.count})
	n.Need = n.workers()
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_ = json.NewEncoder(w).Encode(n) // fails only if the client has gone
}

// workers returns how many workers can do what waits and runs within the latency. Work
// whose length is not known yet needs one.
func (n need) workers() int {
	messages := n.Ready + n.Running
	if messages == 0 {
		return 0
	}
	return int(math.Ceil(max(messages*n.Mean/n.Latency/n.Worker, math.SmallestNonzeroFloat64)))
}

// mean returns how long an attempt took of late, or ever if there were none of late.
func (a *autoscaler) mean(queue string, now sample) float64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.before == nil {
		a.before = make(map[string][]sample) // by queues that are consumed: few
	}
	list := a.before[queue]
	for len(list) > 0 && (now.at.Sub(list[0].at) > meanOver || now.count < list[0].count) {
		list = list[1:]
	}
	if len(list) == 0 || now.at.Sub(list[len(list)-1].at) >= meanOver/meanSamples {
		a.before[queue] = append(list, now)
	} else {
		a.before[queue] = list
	}
	if len(list) > 0 && now.count > list[0].count {
		return (now.seconds - list[0].seconds) / (now.count - list[0].count)
	}
	if now.count == 0 {
		return 0
	}
	return now.seconds / now.count
}

// readings are gathered metrics, to be looked into.
type readings families

type reading struct {
	value, count float64
	found        bool
}

// of returns the sum of the series of a queue, and of a state unless that is empty. What
// did not run is left out: a thousand cancels would make the mean of attempts none.
func (r readings) of(name, queue, state string) (sum reading) {
	for _, f := range r {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.Metric {
			if labelValue(m, "messaging_destination_name") != queue || state != "" && labelValue(m, "dtask_state") != state ||
				slices.Contains(measure.NotRun, labelValue(m, "error_type")) {
				continue
			}
			sum.found = true
			sum.value += m.GetGauge().GetValue() + m.GetHistogram().GetSampleSum()
			sum.count += float64(m.GetHistogram().GetSampleCount())
		}
	}
	return sum
}

func labelValue(m *dto.Metric, name string) string {
	for _, l := range m.Label {
		if l.GetName() == name {
			return l.GetValue()
		}
	}
	return ""
}
