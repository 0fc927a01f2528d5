//go:build unix

package metrics

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/dtaskhq/dtask/internal/testenv/postgrestest"
	"github.com/dtaskhq/dtask/internal/testenv/rabbittest"
	"github.com/dtaskhq/dtask/runtime/dtask"
	_ "github.com/dtaskhq/dtask/runtime/postgres"
	_ "github.com/dtaskhq/dtask/runtime/rabbitmq"
	_ "github.com/dtaskhq/dtask/runtime/sqlite"
	"github.com/dtaskhq/dtask/runtime/telemetry/internal/measure"
	"github.com/dtaskhq/dtask/runtime/worker"
)

// The tests start this binary again as a worker program.
const programEnv = "DTASK_METRICSTEST"

func TestMain(m *testing.M) {
	if os.Getenv(programEnv) != "" {
		os.Exit(worker.Program{Outbox: lateOutbox{}}.Run(os.Args[1:], table()))
	}
	os.Exit(m.Run())
}

const patience = 2 * time.Minute

type args struct {
	Text string `json:"text"`
}

func define(name, queue string) dtask.Task[args, dtask.None] {
	return dtask.Define[args, dtask.None]("example.com/shop/"+name, dtask.Spec{
		Queue: queue, Schema: "text string", Module: "example.com/shop",
	})
}

var (
	noteTask  = define("mail.Note", "mail")
	printTask = define("print.Page", "print")
)

func table() dtask.Table {
	run := func(ctx context.Context, a args) (dtask.None, error) {
		switch a.Text {
		case "fail":
			return dtask.None{}, errors.New("as it should")
		case "die":
			return dtask.None{}, syscall.Kill(os.Getpid(), syscall.SIGKILL)
		case "more":
			_, err := printTask.Delay(ctx, args{})
			return dtask.None{}, err
		}
		return dtask.None{}, nil
	}
	return dtask.Table{noteTask.Bind(run), printTask.Bind(run)}
}

func onEachBroker(t *testing.T, test func(t *testing.T, url string)) {
	t.Parallel()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		test(t, "sqlite:"+filepath.Join(t.TempDir(), "tasks.db"))
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		test(t, postgrestest.URL(t))
	})
	t.Run("rabbitmq", func(t *testing.T) {
		t.Parallel()
		test(t, rabbittest.URL(t))
	})
}

func open(t *testing.T, url string, opts ...dtask.ClientOption) *dtask.Client {
	t.Helper()
	client, err := dtask.Open(t.Context(), url, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return client
}

// startWorker starts a worker program, and returns where it answers.
func startWorker(t *testing.T, url string, flags ...string) (address string) {
	t.Helper()
	cmd := exec.Command(os.Args[0], append([]string{"-url", url, "-health", "127.0.0.1:0"}, flags...)...)
	cmd.Env = append(os.Environ(), programEnv+"=1")
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	found := make(chan string, 1)
	go func() {
		for lines := bufio.NewScanner(stderr); lines.Scan(); {
			if m := regexp.MustCompile(`answering health probes" addr=(\S+)`).FindStringSubmatch(lines.Text()); m != nil {
				found <- m[1]
			}
		}
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
	})
	select {
	case a := <-found:
		return "http://" + a
	case <-time.After(patience):
		t.Fatal("the worker does not answer")
		return ""
	}
}

// A page is what /metrics has.
type page map[string]*dto.MetricFamily

func scrape(t *testing.T, address string) page {
	t.Helper()
	answer, err := http.Get(address + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	p, err := parser.TextToMetricFamilies(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// value sums up the series of a metric that have all these labels: name=value.
func (p page) value(name string, labels ...string) (sum float64) {
	for _, m := range p[name].GetMetric() {
		has := make(map[string]bool)
		for _, l := range m.Label {
			has[l.GetName()+"="+l.GetValue()] = true
		}
		all := true
		for _, l := range labels {
			all = all && has[l]
		}
		if all {
			sum += m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	return sum
}

// await scrapes until ok says that the page is right.
func await(t *testing.T, address string, ok func(page) bool) page {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(100 * time.Millisecond) {
		p := scrape(t, address)
		if ok(p) {
			return p
		}
		if time.Now().After(deadline) {
			for name, f := range p {
				if strings.HasPrefix(name, "dtask_") || strings.HasPrefix(name, "messaging_") {
					t.Log(f)
				}
			}
			t.Fatal("the metrics do not become what they should be")
		}
	}
}

// A live worker has every metric, and says what happened.
func TestMetricsOfAWorker(t *testing.T) {
	onEachBroker(t, func(t *testing.T, url string) {
		client := open(t, url)
		ctx := dtask.NewContext(t.Context(), client)
		for i := range 5 { // tasks of another program, on this queue
			if _, err := define("mail.Foreign"+strconv.Itoa(i), "mail").Delay(ctx, args{}); err != nil {
				t.Fatal(err)
			}
		}
		for _, text := range []string{"a", "b", "fail", "more"} {
			if _, err := noteTask.Delay(ctx, args{text}); err != nil {
				t.Fatal(err)
			}
		}
		address := startWorker(t, url)
		p := await(t, address, func(p page) bool {
			// A task may be done before its Delay, which is measured, has returned.
			sent := p.value("messaging_client_sent_messages_total") == 1 && p.value("messaging_client_operation_duration_seconds") == 1
			return sent && p.value("dtask_attempts_total", "dtask_outcome=done") == 4 && p.value("dtask_queue_messages", "dtask_state=dead") == 1 &&
				p.value("dtask_foreign_messages_total") >= 5
		})
		for name, want := range map[string]float64{
			"dtask_attempts_total{dtask_outcome=dead}":                                      1,
			"dtask_attempts_total{dtask_outcome=dead,error_type=*errors.errorString}":       1,
			"dtask_attempts_total{dtask_task=example.com/shop/print.Page}":                  1,
			"messaging_client_sent_messages_total{messaging_destination_name=print}":        1,
			"messaging_client_operation_duration_seconds{messaging_destination_name=print}": 1,
			"messaging_process_duration_seconds{dtask_task=example.com/shop/mail.Note}":     4,
			"dtask_worker_capacity{messaging_destination_name=mail}":                        10,
			"dtask_broker_up{}": 1,
		} {
			metric, labels, _ := strings.Cut(strings.TrimSuffix(name, "}"), "{")
			var list []string
			if labels != "" {
				list = strings.Split(labels, ",")
			}
			if got := p.value(metric, list...); got != want {
				t.Errorf("%s is %v, want %v", name, got, want)
			}
		}
		// RabbitMQ has no order by time, and a file no connections. Orphans are looked for
		// every few minutes, and a supervisor counts crashes.
		lacks := func(name string) bool {
			switch name {
			case "dtask_queue_latency_seconds":
				return strings.HasPrefix(url, "amqp")
			case "dtask_broker_connections_total":
				return strings.HasPrefix(url, "sqlite")
			}
			return name == "dtask_queue_orphaned" || name == nameOf(measure.Crashes)
		}
		for _, m := range append(measure.Recorded, measure.Read...) {
			if name := nameOf(m); p[name] == nil && !lacks(name) {
				t.Errorf("%s is missing", name)
			}
		}
		for _, name := range shown(t) {
			if p[name] == nil && !lacks(name) {
				t.Errorf("%s, which the board or an alert shows, is missing", name)
			}
		}
		// What the broker said last may be of when the task waited.
		for deadline := time.Now().Add(patience); ; time.Sleep(100 * time.Millisecond) {
			text := autoscale(t, address, "print")
			if strings.Contains(text, `"need":0,`) && strings.Contains(text, `"worker_capacity":10}`) {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("autoscale of a queue with nothing to do: %s", text)
			}
		}
		if p["go_goroutines"] == nil {
			t.Error("the program's own metrics are missing")
		}
		if text := fmt.Sprint(p); strings.Contains(text, "Foreign") {
			t.Error("the name of a task of another program is a label")
		}
	})
}

// autoscale returns what an address says of the workers that a queue needs.
func autoscale(t *testing.T, address, queue string) string {
	t.Helper()
	answer, err := http.Get(address + "/autoscale?queue=" + queue)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// shown returns the metrics that the board and the alerts show.
func shown(t *testing.T) (names []string) {
	t.Helper()
	for _, file := range []string{"grafana.json", "prometheus-rules.yaml"} {
		text, err := os.ReadFile(filepath.Join("../../../docs/deploy", file))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range regexp.MustCompile(`\b(dtask|messaging)_\w+_(messages|total|seconds(_bucket)?|capacity|up|paused|orphaned|outcomes)\b|\bdtask_running\b`).FindAllString(string(text), -1) {
			names = append(names, strings.TrimSuffix(name, "_bucket"))
		}
	}
	if len(names) < 20 {
		t.Errorf("only %d metrics are shown: %v", len(names), names)
	}
	return names
}

// A supervisor has the sums of its children, of those that have died, too.
func TestMetricsOfASupervisor(t *testing.T) {
	onEachBroker(t, func(t *testing.T, url string) {
		ctx := dtask.NewContext(t.Context(), open(t, url))
		address := startWorker(t, url, "-processes", "2")
		delay := func(texts ...string) {
			for _, text := range texts {
				if _, err := noteTask.Delay(ctx, args{text}); err != nil {
					t.Fatal(err)
				}
			}
		}
		delay("a", "b", "c", "d")
		await(t, address, func(p page) bool {
			return p.value("dtask_attempts_total", "dtask_outcome=done") == 4 && p.value("dtask_worker_capacity", "messaging_destination_name=mail") == 20
		})
		delay("die")
		await(t, address, func(p page) bool {
			return p.value("dtask_worker_crashes_total") >= 1 && p.value("dtask_attempts_total", "dtask_outcome=dead") == 1 &&
				p.value("dtask_attempts_total", "dtask_outcome=done") == 4 &&
				p.value("dtask_queue_messages", "dtask_state=dead") == 1 && p.value("dtask_worker_capacity", "messaging_destination_name=mail") == 20
		})
	})
}

// Exemplars lead to the trace in which a message was enqueued.
func TestExemplars(t *testing.T) {
	t.Parallel()
	url := "sqlite:" + filepath.Join(t.TempDir(), "tasks.db")
	const id = "0af7651916cd43dd8448eb211c80319c"
	ctx := dtask.NewContext(t.Context(), open(t, url))
	if _, err := noteTask.Delay(ctx, args{}, dtask.Header("traceparent", "00-"+id+"-b7ad6b7169203331-01")); err != nil {
		t.Fatal(err)
	}
	address := startWorker(t, url)
	await(t, address, func(p page) bool { return p.value("dtask_attempts_total") == 1 })
	request, err := http.NewRequest("GET", address+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Accept", "application/openmetrics-text;version=1.0.0")
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil || !strings.Contains(string(text), `# {trace_id="`+id+`"}`) {
		t.Errorf("no exemplar has the trace: %v\n%s", err, text)
	}
}
