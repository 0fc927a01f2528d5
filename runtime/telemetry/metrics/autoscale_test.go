package metrics

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/dtaskhq/dtask/runtime/telemetry/internal/measure"
)

// state is what a worker with two queues has measured.
const state = `
# TYPE dtask_worker_capacity gauge
dtask_worker_capacity{messaging_destination_name="mail"} 10
dtask_worker_capacity{messaging_destination_name="print"} 2
dtask_worker_capacity{messaging_destination_name="new"} 5
dtask_worker_capacity{messaging_destination_name="idle"} 5
dtask_worker_capacity{messaging_destination_name="unknown"} 5
# TYPE dtask_queue_messages gauge
dtask_queue_messages{messaging_destination_name="mail",dtask_state="ready"} 1190
dtask_queue_messages{messaging_destination_name="mail",dtask_state="running"} 10
dtask_queue_messages{messaging_destination_name="mail",dtask_state="dead"} 100000
dtask_queue_messages{messaging_destination_name="print",dtask_state="ready"} 6
dtask_queue_messages{messaging_destination_name="new",dtask_state="ready"} 1
dtask_queue_messages{messaging_destination_name="idle",dtask_state="ready"} 0
# TYPE messaging_process_duration_seconds histogram
messaging_process_duration_seconds_bucket{messaging_destination_name="mail",error_type="",le="+Inf"} 90
messaging_process_duration_seconds_sum{messaging_destination_name="mail",error_type=""} 40
messaging_process_duration_seconds_count{messaging_destination_name="mail",error_type=""} 90
messaging_process_duration_seconds_bucket{messaging_destination_name="mail",error_type="timeout",le="+Inf"} 10
messaging_process_duration_seconds_sum{messaging_destination_name="mail",error_type="timeout"} 10
messaging_process_duration_seconds_count{messaging_destination_name="mail",error_type="timeout"} 10
messaging_process_duration_seconds_bucket{messaging_destination_name="mail",error_type="cancelled",le="+Inf"} 9000
messaging_process_duration_seconds_sum{messaging_destination_name="mail",error_type="cancelled"} 0
messaging_process_duration_seconds_count{messaging_destination_name="mail",error_type="cancelled"} 9000
messaging_process_duration_seconds_bucket{messaging_destination_name="print",error_type="",le="+Inf"} 10
messaging_process_duration_seconds_sum{messaging_destination_name="print",error_type=""} 600
messaging_process_duration_seconds_count{messaging_destination_name="print",error_type=""} 10
`

func TestAutoscale(t *testing.T) {
	t.Parallel()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	parsed, err := parser.TextToMetricFamilies(strings.NewReader(state))
	if err != nil {
		t.Fatal(err)
	}
	var all families
	for _, f := range parsed {
		all = append(all, f)
	}
	server := httptest.NewServer(&autoscaler{gatherer: prometheus.GathererFunc(func() (families, error) { return all, nil })})
	defer server.Close()
	for query, want := range map[string]int{
		"queue=mail":              2,  // 1200 of 0.5 s within 30 s, 10 at a time
		"queue=mail&latency=1m":   1,  //
		"queue=mail&latency=1s":   60, //
		"queue=print":             6,  // fewer messages, but they take a minute each
		"queue=print&latency=10s": 18, //
		"queue=new":               1,  // nothing is known of it but that it waits
		"queue=idle":              0,  //
		"queue=unknown":           -http.StatusServiceUnavailable,
		"queue=nobody":            -http.StatusNotFound,
		"":                        -http.StatusNotFound,
		"queue=mail&latency=soon": -http.StatusBadRequest,
		"queue=mail&latency=-1s":  -http.StatusBadRequest,
	} {
		answer, err := http.Get(server.URL + "?" + query)
		if err != nil {
			t.Fatal(err)
		}
		got := -answer.StatusCode
		if answer.StatusCode == http.StatusOK {
			var n need
			if err := json.NewDecoder(answer.Body).Decode(&n); err != nil {
				t.Fatal(err)
			}
			got = n.Need
		}
		answer.Body.Close()
		if got != want {
			t.Errorf("%s: %d, want %d", query, got, want)
		}
	}
}

// The rules of Prometheus leave out what did not run, as /autoscale does.
func TestRulesLeaveOutWhatDidNotRun(t *testing.T) {
	t.Parallel()
	rules, err := os.ReadFile("../../../docs/deploy/prometheus-rules.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if want := `{error_type!~"` + strings.Join(measure.NotRun, "|") + `"}`; strings.Count(string(rules), want) != 2 {
		t.Errorf("dtask:queue_work_seconds does not leave out %s twice", want)
	}
}

// The mean is that of the last minutes, and survives that a process counts from 0 again.
func TestMeanForgets(t *testing.T) {
	t.Parallel()
	var a autoscaler
	start := time.Now()
	for i, c := range []struct {
		after          time.Duration
		seconds, count float64
		want           float64
	}{
		{0, 100, 100, 1},
		{time.Minute, 300, 200, 2},
		{2 * time.Minute, 300, 200, 2},
		{20 * time.Minute, 1000, 300, 1000.0 / 300}, // all before is too long ago
		{21 * time.Minute, 1005, 310, 0.5},
		{22 * time.Minute, 8, 2, 4}, // a new process
	} {
		if got := a.mean("mail", sample{start.Add(c.after), c.seconds, c.count}); got != c.want {
			t.Errorf("step %d: %v, want %v", i, got, c.want)
		}
	}
	if got := a.mean("print", sample{start, 0, 0}); got != 0 {
		t.Errorf("another queue: %v", got)
	}
}
