package auto

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dtaskhq/dtask/runtime/dtask"
	_ "github.com/dtaskhq/dtask/runtime/sqlite"
	"github.com/dtaskhq/dtask/runtime/worker"
)

// The tests start this binary again as a worker program.
const programEnv = "DTASK_AUTOTEST"

func TestMain(m *testing.M) {
	if os.Getenv(programEnv) != "" {
		os.Exit(worker.Run(os.Args[1:], table()))
	}
	os.Exit(m.Run())
}

type args struct {
	Text string `json:"text"`
}

var noteTask = dtask.Define[args, dtask.None]("shop/mail.Note", dtask.Spec{Queue: "mail", Schema: "text string"})

func table() dtask.Table {
	return dtask.Table{noteTask.Bind(func(_ context.Context, a args) (dtask.None, error) {
		if a.Text == "fail" {
			return dtask.None{}, errors.New("as it should")
		}
		return dtask.None{}, nil
	})}
}

// drain runs a worker program until tasks are done, and returns its exit code and log.
func drain(t *testing.T, tasks []string, env ...string) (code int, log string) {
	t.Helper()
	url := "sqlite:" + filepath.Join(t.TempDir(), "tasks.db")
	client, err := dtask.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range tasks {
		if _, err := noteTask.Delay(dtask.NewContext(t.Context(), client), args{text}); err != nil {
			t.Fatal(err)
		}
	}
	if err := client.Close(); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0], "-url", url, "-drain", "-log", "json")
	cmd.Env = append(os.Environ(), append(env, programEnv+"=1")...)
	out, err := cmd.CombinedOutput()
	if exit := new(exec.ExitError); errors.As(err, &exit) {
		return exit.ExitCode(), string(out)
	} else if err != nil {
		t.Fatal(err)
	}
	return 0, string(out)
}

// A collector answers exporters, and keeps what paths they ask for and how much they
// send. While blocked is open it answers none.
type collector struct {
	*httptest.Server
	mu   sync.Mutex
	got  map[string]int
	text strings.Builder
}

func newCollector(t *testing.T, blocked <-chan struct{}) *collector {
	c := &collector{got: make(map[string]int)}
	c.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		c.mu.Lock()
		c.got[r.URL.Path]++
		c.text.Write(body)
		c.mu.Unlock()
		if blocked != nil {
			<-blocked
		}
	}))
	t.Cleanup(c.Close)
	return c
}

func (c *collector) seen(path string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.got[path]
}

func TestVariablesSwitchItOn(t *testing.T) {
	t.Parallel()
	c := newCollector(t, nil)
	code, log := drain(t, []string{"a", "fail"}, "OTEL_EXPORTER_OTLP_ENDPOINT="+c.URL, "OTEL_EXPORTER_OTLP_COMPRESSION=none", "OTEL_SERVICE_NAME=shop")
	if code != 3 || c.seen("/v1/traces") == 0 || c.seen("/v1/metrics") == 0 {
		t.Errorf("exit code %d, requests %v, log:\n%s", code, c.got, log)
	}
	for _, text := range []string{"process mail", "messaging.process.duration", "dtask.attempts", "dtask.worker.capacity", "service.name", "shop", "errors.errorString"} {
		if !strings.Contains(c.text.String(), text) {
			t.Errorf("%q was not sent", text)
		}
	}
	for _, line := range []string{"task done", "task moved to the dead letters"} {
		if _, rest, ok := strings.Cut(log, line); !ok || !strings.Contains(strings.SplitN(rest, "\n", 2)[0], "trace_id") {
			t.Errorf("%q has no trace_id:\n%s", line, log)
		}
	}
}

func TestWithoutVariablesItIsOff(t *testing.T) {
	t.Parallel()
	for _, env := range [][]string{nil, {"OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:1", "OTEL_SDK_DISABLED=true"}, {"OTEL_TRACES_EXPORTER=none"}} {
		code, log := drain(t, []string{"a"}, env...)
		if code != 0 || strings.Contains(log, "telemetry") || strings.Contains(log, "trace_id") {
			t.Errorf("%v: exit code %d, log:\n%s", env, code, log)
		}
	}
}

// Exporters that nobody answers are in no task's way, and one line says so.
func TestDeadExporters(t *testing.T) {
	t.Parallel()
	blocked := make(chan struct{})
	c := newCollector(t, blocked)
	t.Cleanup(func() { close(blocked) })
	for name, url := range map[string]string{"blocks": c.URL, "is away": "http://127.0.0.1:1"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tasks := make([]string, 300)
			code, log := drain(t, tasks, "OTEL_EXPORTER_OTLP_ENDPOINT="+url,
				"OTEL_BSP_SCHEDULE_DELAY=10", "OTEL_BSP_EXPORT_TIMEOUT=100", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE=10", "OTEL_BSP_MAX_QUEUE_SIZE=20",
				"OTEL_EXPORTER_OTLP_TIMEOUT=100", "OTEL_METRIC_EXPORT_INTERVAL=50", "OTEL_METRIC_EXPORT_TIMEOUT=100")
			if done := strings.Count(log, "task done"); code != 0 || done != len(tasks) {
				t.Errorf("exit code %d, %d of %d tasks are done", code, done, len(tasks))
			}
			if n := strings.Count(log, "telemetry is not exported"); n != 1 {
				t.Errorf("%d warnings, want 1:\n%s", n, log[max(0, len(log)-3000):])
			}
		})
	}
}

func TestWrongVariables(t *testing.T) {
	t.Parallel()
	for env, want := range map[string]string{
		"OTEL_TRACES_EXPORTER=carrier-pigeon":        "OTEL_TRACES_EXPORTER",
		"OTEL_EXPORTER_OTLP_ENDPOINT=collector:4318": "variable OTEL_EXPORTER_OTLP_ENDPOINT is no URL",
		"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=//x":     "variable OTEL_EXPORTER_OTLP_TRACES_ENDPOINT is no URL",
		"OTEL_RESOURCE_ATTRIBUTES=x":                 "missing value",
		"DTASK_TRACE_PARENT=soon":                    "use a duration",
	} {
		code, log := drain(t, nil, "OTEL_METRICS_EXPORTER=console", env)
		if code != 2 || !strings.Contains(log, want) {
			t.Errorf("%s: exit code %d, log:\n%s", env, code, log)
		}
	}
}

// Variables that OpenTelemetry would warn of in its own way, and go on, are wrong, too. No
// values of theirs are shown: they may be keys.
func TestVariablesOfExporters(t *testing.T) {
	t.Parallel()
	for env, want := range map[string]string{
		"OTEL_TRACES_SAMPLER=some":                "unsupported sampler",
		"OTEL_EXPORTER_OTLP_HEADERS=sesame":       "parse headers",
		"OTEL_EXPORTER_OTLP_TIMEOUT=abc":          "parse duration",
		"OTEL_EXPORTER_OTLP_METRICS_HEADERS=key ": "parse headers",
	} {
		code, log := drain(t, nil, "OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:1", env)
		if code != 2 || !strings.Contains(log, "a variable OTEL_… is wrong: ") || !strings.Contains(log, want) ||
			strings.Contains(log, "sesame") || strings.Contains(log, "internal_logging") {
			t.Errorf("%s: exit code %d, log:\n%s", env, code, log)
		}
	}
}

// An exporter that ignores the end of its context is noticed, too.
func TestExporterThatBlocksForEver(t *testing.T) {
	closed := make(chan error, 1)
	forever := func(context.Context) error { select {} }
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	go func() { closed <- closeAll(ctx, []func(context.Context) error{forever, forever}) }()
	if err := <-closed; !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v", err)
	}
}
