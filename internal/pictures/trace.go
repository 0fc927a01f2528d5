package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"html"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/dtaskhq/dtask/runtime/dtask"
	"github.com/dtaskhq/dtask/runtime/telemetry"
)

// traced sends a real request to a web server that delays a task, which fails at its first
// attempt, and draws the trace that this leaves.
func traced(file string) error {
	spans, err := traceOfRequest()
	if err != nil {
		return err
	}
	return os.WriteFile(file, []byte(drawTrace(spans)), 0o666)
}

func traceOfRequest() (tracetest.SpanStubs, error) {
	dir, err := os.MkdirTemp("", "pictures")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	exporter := tracetest.NewInMemoryExporter()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSyncer(exporter))
	plain, err := dtask.Open(context.Background(), "sqlite:"+filepath.Join(dir, "tasks.db"), dtask.WithLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		return nil, err
	}
	defer plain.Close()
	of := telemetry.New(plain, telemetry.Traces(provider), telemetry.Parent(time.Minute))
	client := of.Client()
	ended := make(chan struct{})
	w, err := dtask.NewWorker(client, dtask.WorkerConfig{Middleware: []dtask.Middleware{of.Middleware}}, dtask.Table{
		sendTask.Bind(func(ctx context.Context, _ letter) (dtask.None, error) {
			time.Sleep(60 * time.Millisecond)
			if info, _ := dtask.InfoFromContext(ctx); info.Attempt == 1 {
				return dtask.None{}, dtask.RetryAfter(150*time.Millisecond, errors.New("421 try again later"))
			}
			_, err := scaleTask.Delay(ctx, letter{"logo.png"})
			return dtask.None{}, err
		}),
		scaleTask.Bind(func(context.Context, letter) (dtask.None, error) {
			time.Sleep(80 * time.Millisecond)
			close(ended)
			return dtask.None{}, nil
		}),
	})
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	running := make(chan error, 1)
	go func() { running <- w.Run(ctx) }()
	<-w.Ready()
	web := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		ctx, span := provider.Tracer("web").Start(dtask.NewContext(r.Context(), client), "POST /signup")
		defer span.End()
		if _, err := sendTask.Delay(ctx, letter{"ann@example.com"}); err != nil {
			http.Error(rw, err.Error(), http.StatusInternalServerError)
		}
	}))
	defer web.Close()
	answer, err := http.Post(web.URL, "", nil)
	if err != nil {
		return nil, err
	}
	answer.Body.Close()
	<-ended
	stop()
	err = <-running // then the last span has ended
	return exporter.GetSpans(), err
}

const traceStyle = `
  text { font: 13px system-ui, sans-serif; fill: #24292f } .small { fill: #57606a; font-size: 12px }
  .web { fill: #8250df } .producer { fill: #0969da } .consumer { fill: #1a7f37 } .failed { fill: #cf222e } line { stroke: #d0d7de }
  @media (prefers-color-scheme: dark) { text { fill: #e6edf3 } .small { fill: #9198a1 } line { stroke: #30363d }
    .web { fill: #ab7df8 } .producer { fill: #4493f8 } .consumer { fill: #3fb950 } .failed { fill: #f85149 } }`

// The columns of the drawing, in pixels.
const (
	nameColumn, barColumn, barWidth, endColumn = 10, 200, 400, 612
	spanHeight                                 = 28
)

// drawTrace draws spans below each other, each at its time.
func drawTrace(spans tracetest.SpanStubs) string {
	slices.SortFunc(spans, func(a, b tracetest.SpanStub) int { return a.StartTime.Compare(b.StartTime) })
	first := spans[0].StartTime
	last := slices.MaxFunc(spans, func(a, b tracetest.SpanStub) int { return a.EndTime.Compare(b.EndTime) }).EndTime
	whole := last.Sub(first)
	at := func(t time.Time) float64 { return barColumn + barWidth*float64(t.Sub(first))/float64(whole) }
	height := spanHeight*len(spans) + 34
	var b strings.Builder
	fmt.Fprintf(&b, "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"940\" height=\"%d\" viewBox=\"0 0 940 %d\">\n<style>%s\n</style>\n", height, height, traceStyle)
	for i := range 5 {
		t := first.Add(whole * time.Duration(i) / 4)
		fmt.Fprintf(&b, "<line x1=\"%.1f\" y1=\"22\" x2=\"%.1f\" y2=\"%d\"/>\n<text x=\"%.1f\" y=\"15\" class=\"small\" text-anchor=\"middle\">%d ms</text>\n",
			at(t), at(t), height, at(t), t.Sub(first).Milliseconds())
	}
	for i, s := range spans {
		y := 28 + i*spanHeight
		fmt.Fprintf(&b, "<text x=\"%d\" y=\"%d\">%s</text>\n", nameColumn+14*depth(spans, s), y+15, html.EscapeString(s.Name))
		fmt.Fprintf(&b, "<rect x=\"%.1f\" y=\"%d\" width=\"%.1f\" height=\"18\" rx=\"3\" class=\"%s\"/>\n", at(s.StartTime), y+2, max(2, at(s.EndTime)-at(s.StartTime)), classOfSpan(s))
		fmt.Fprintf(&b, "<text x=\"%d\" y=\"%d\" class=\"small\">%s</text>\n", endColumn, y+15, html.EscapeString(noteOf(s)))
	}
	b.WriteString("</svg>\n")
	return b.String()
}

// depth returns how many of the spans a span is within.
func depth(spans tracetest.SpanStubs, s tracetest.SpanStub) (n int) {
	for _, p := range spans {
		if p.SpanContext.SpanID() == s.Parent.SpanID() {
			return 1 + depth(spans, p)
		}
	}
	return 0
}

func classOfSpan(s tracetest.SpanStub) string {
	switch {
	case s.Status.Code == codes.Error:
		return "failed"
	case strings.HasPrefix(s.Name, "send"):
		return "producer"
	case strings.HasPrefix(s.Name, "process"):
		return "consumer"
	}
	return "web"
}

// noteOf says how long a span took, and what its attributes say of the attempt.
func noteOf(s tracetest.SpanStub) string {
	of := make(map[string]string)
	for _, a := range s.Attributes {
		of[string(a.Key)] = a.Value.String()
	}
	note := fmt.Sprintf("%.1f ms", float64(s.EndTime.Sub(s.StartTime).Microseconds())/1000)
	if of["dtask.attempt"] != "" {
		note += fmt.Sprintf(", attempt %s of %s: %s", of["dtask.attempt"], of["dtask.attempts"], of["dtask.outcome"])
	}
	return strings.TrimSuffix(note+", "+cmp.Or(s.Status.Description, ""), ", ")
}
