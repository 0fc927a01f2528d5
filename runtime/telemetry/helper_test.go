package telemetry_test

import (
	"bytes"
	"context"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/dtaskhq/dtask/internal/testenv/postgrestest"
	"github.com/dtaskhq/dtask/internal/testenv/rabbittest"
	"github.com/dtaskhq/dtask/runtime/dtask"
	_ "github.com/dtaskhq/dtask/runtime/postgres"
	_ "github.com/dtaskhq/dtask/runtime/rabbitmq"
	_ "github.com/dtaskhq/dtask/runtime/sqlite"
	"github.com/dtaskhq/dtask/runtime/telemetry"
)

// onEachBroker runs a test on all brokers, in parallel.
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

// A log keeps what is logged.
type log struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// A system is a client and a worker with telemetry, whose spans are kept.
type system struct {
	t        *testing.T
	client   *dtask.Client
	exporter *tracetest.InMemoryExporter
	provider *sdktrace.TracerProvider
	log      *log
	options  []telemetry.Option
}

func newSystem(t *testing.T, url string, opts ...telemetry.Option) *system {
	t.Helper()
	s := &system{t: t, exporter: tracetest.NewInMemoryExporter(), log: new(log)}
	s.provider = sdktrace.NewTracerProvider(sdktrace.WithSyncer(s.exporter))
	s.options = append([]telemetry.Option{telemetry.Traces(s.provider)}, opts...)
	logger := slog.New(telemetry.LogHandler(slog.NewJSONHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	client, err := dtask.Open(t.Context(), url, dtask.WithLogger(logger))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	s.client = telemetry.New(client, s.options...).Client()
	return s
}

// ctx is a context with the client.
func (s *system) ctx() context.Context { return dtask.NewContext(s.t.Context(), s.client) }

// work runs a worker until the test ends, or until the function that it returns is called.
func (s *system) work(tables ...dtask.Table) (stop func()) {
	s.t.Helper()
	w, err := dtask.NewWorker(s.client, dtask.WorkerConfig{
		Middleware: []dtask.Middleware{telemetry.New(s.client, s.options...).Middleware},
	}, tables...)
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			s.t.Error(err)
		}
	})
	s.t.Cleanup(stop)
	return stop
}

// spans waits until there are n ended spans of a name, and returns them.
func (s *system) spans(name string, n int) tracetest.SpanStubs {
	s.t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		var found tracetest.SpanStubs
		for _, span := range s.exporter.GetSpans() {
			if span.Name == name {
				found = append(found, span)
			}
		}
		if len(found) == n {
			return found
		}
		if len(found) > n || time.Now().After(deadline) {
			s.t.Fatalf("%d spans %q, want %d", len(found), name, n)
		}
	}
}

func attributesOf(span tracetest.SpanStub) map[attribute.Key]attribute.Value {
	as := make(map[attribute.Key]attribute.Value)
	for _, a := range span.Attributes {
		as[a.Key] = a.Value
	}
	return as
}

type args struct {
	Text string `json:"text"`
}

func define(name, queue string) dtask.Task[args, dtask.None] {
	return dtask.Define[args, dtask.None]("example.com/shop/"+name, dtask.Spec{
		Queue: queue, Retries: 3, Timeout: time.Minute, Backoff: 10 * time.Millisecond, Schema: "text string", Module: "example.com/shop",
	})
}

func bind(t dtask.Task[args, dtask.None], f func(context.Context, string) error) dtask.BoundTask {
	return t.Bind(func(ctx context.Context, a args) (dtask.None, error) { return dtask.None{}, f(ctx, a.Text) })
}
