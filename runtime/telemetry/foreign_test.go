package telemetry_test

import (
	"context"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/baggage"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/dtaskhq/dtask/runtime/dtask"
	"github.com/dtaskhq/dtask/runtime/telemetry"
)

// Whatever headers others write, tasks run, and one line says so.
func TestBrokenHeaders(t *testing.T) {
	onEachBroker(t, func(t *testing.T, url string) {
		s := newSystem(t, url, telemetry.Baggage("tenant"))
		plain := newPlain(t, s)
		const good = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
		huge := strings.Repeat("x", 20<<10)
		for _, headers := range [][2]string{
			{"traceparent", ""},
			{"traceparent", "00-"},
			{"traceparent", "00-00000000000000000000000000000000-0000000000000000-01"},
			{"traceparent", good + huge},
			{"traceparent", "\x00é" + good},
			{"tracestate", huge},
			{"tracestate", strings.Repeat("a=b,", 1000)},
			{"baggage", huge},
			{"baggage", "tenant=;;;,=,"},
			{"baggage", strings.Repeat("tenant=acme,", 500)},
		} {
			opts := []dtask.Option{dtask.Header(headers[0], headers[1])}
			if headers[0] == "tracestate" {
				opts = append(opts, dtask.Header("traceparent", good))
			}
			if _, err := orderTask.Delay(plain, args{"x"}, opts...); err != nil {
				t.Fatal(err)
			}
		}
		s.work(dtask.Table{bind(orderTask, func(ctx context.Context, _ string) error {
			if n := len(baggage.FromContext(ctx).String()); n > 100 {
				t.Errorf("baggage of %d bytes", n)
			}
			return nil
		})})
		links := 0
		for _, span := range s.spans("process mail", 10) {
			conforms(t, span)
			links += len(span.Links)
		}
		if links != 2 {
			t.Errorf("%d links, want those of the two messages whose traceparent is right", links)
		}
		for _, text := range []string{"has a traceparent that cannot be read", "has baggage that cannot be read"} {
			if n := strings.Count(s.log.String(), text); n != 1 {
				t.Errorf("%d lines %q, want 1", n, text)
			}
		}
		if len(s.log.String()) > 50<<10 {
			t.Error("the log has the headers")
		}
	})
}

// newPlain returns a context with a client of the same broker without telemetry.
func newPlain(t *testing.T, s *system) context.Context {
	t.Helper()
	return dtask.NewContext(t.Context(), dtask.NewClient(s.client.Broker()))
}

// A producer without dtask sets the context of its own trace.
func TestContextOfAnotherProducer(t *testing.T) {
	onEachBroker(t, func(t *testing.T, url string) {
		s := newSystem(t, url)
		const id = "0af7651916cd43dd8448eb211c80319c"
		header := dtask.Header("traceparent", "00-"+id+"-b7ad6b7169203331-01")
		if _, err := orderTask.Delay(s.ctx(), args{"x"}, header); err != nil {
			t.Fatal(err)
		}
		s.work(dtask.Table{bind(orderTask, func(context.Context, string) error { return nil })})
		for _, name := range []string{"send mail", "process mail"} {
			span := s.spans(name, 1)[0]
			if len(span.Links) != 1 || span.Links[0].SpanContext.TraceID().String() != id {
				t.Errorf("%s has links %v", name, span.Links)
			}
		}
	})
}

// Baggage is passed on as far as it is allowed, over two tasks.
func TestBaggage(t *testing.T) {
	onEachBroker(t, func(t *testing.T, url string) {
		s := newSystem(t, url, telemetry.Baggage("tenant", "region"))
		got := make(chan string, 2)
		say := func(ctx context.Context) { got <- baggage.FromContext(ctx).String() }
		s.work(dtask.Table{
			bind(orderTask, func(ctx context.Context, _ string) error {
				say(ctx)
				_, err := invoiceTask.Delay(ctx, args{})
				return err
			}),
			bind(invoiceTask, func(ctx context.Context, _ string) error { say(ctx); return nil }),
		})
		b, err := baggage.Parse("tenant=acme,password=secret")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := orderTask.Delay(baggage.ContextWithBaggage(s.ctx(), b), args{}); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if b := <-got; b != "tenant=acme" {
				t.Errorf("baggage %q", b)
			}
		}
	})
}

// A span in the context of a worker's Run is not the parent of all its tasks.
func TestWorkerInASpan(t *testing.T) {
	s := newSystem(t, "sqlite:"+t.TempDir()+"/tasks.db")
	if _, err := orderTask.Delay(newPlain(t, s), args{"x"}); err != nil {
		t.Fatal(err)
	}
	ctx, span := s.provider.Tracer("test").Start(t.Context(), "main")
	defer span.End()
	w, err := dtask.NewWorker(s.client, dtask.WorkerConfig{Middleware: []dtask.Middleware{telemetry.New(s.client, s.options...).Middleware}},
		dtask.Table{bind(orderTask, func(ctx context.Context, _ string) error {
			if trace.SpanContextFromContext(ctx).TraceID() == span.SpanContext().TraceID() {
				t.Error("the task is in the trace of the worker")
			}
			return nil
		})})
	if err != nil {
		t.Fatal(err)
	}
	running, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- w.Run(running) }()
	s.spans("process mail", 1)
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// A trace costs few allocations, and none where nobody records.
func TestAllocations(t *testing.T) {
	handle := func(context.Context, *dtask.Message) dtask.Outcome { return dtask.Outcome{Kind: dtask.OutcomeDone} }
	m := &dtask.Message{ID: "1", Task: orderTask.Name(), Queue: "mail", Attempt: 1, Attempts: 4}
	m.SetHeader("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	for _, c := range []struct {
		name    string
		sampler sdktrace.Sampler
		most    float64
	}{{"sampled", sdktrace.AlwaysSample(), 12}, {"not sampled", sdktrace.NeverSample(), 4}} {
		provider := sdktrace.NewTracerProvider(sdktrace.WithSampler(c.sampler))
		wrapped := telemetry.New(dtask.NewClient(nil), telemetry.Traces(provider)).Middleware(handle)
		if n := testing.AllocsPerRun(100, func() { wrapped(t.Context(), m) }); n > c.most {
			t.Errorf("%s: %v allocations, want at most %v", c.name, n, c.most)
		}
	}
}
