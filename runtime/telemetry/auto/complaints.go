package auto

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"go.opentelemetry.io/otel/sdk/trace"
)

const (
	// blockedAfter is how long an exporter may be busy with one batch before a line
	// says so.
	blockedAfter = 10 * time.Second

	// complainAgain is how often the same is said: an exporter that is away fails
	// every few seconds.
	complainAgain = time.Hour
)

// complaints are what OpenTelemetry has to say. Until it has started they are faults of
// its variables; then each is said once in a while.
type complaints struct {
	log *slog.Logger

	mu      sync.Mutex
	started bool
	faults  []error // before the start
	last    time.Time
}

// start returns what was wrong before it.
func (c *complaints) start() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.started = true
	return errors.Join(c.faults...)
}

// handle implements [go.opentelemetry.io/otel.ErrorHandler].
func (c *complaints) handle(err error) {
	c.say("telemetry is not exported; tasks go on, spans and metrics are lost", err)
}

func (c *complaints) say(text string, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.started {
		c.faults = append(c.faults, err)
		return
	}
	if !c.last.IsZero() && time.Since(c.last) < complainAgain {
		return
	}
	c.last = time.Now()
	c.log.Warn(text, "err", err)
}

// An internalLog takes the errors that OpenTelemetry logs, which would go to standard
// error in a form of their own.
type internalLog struct {
	slog.Handler // there are no groups and no loggers with attributes
	said         *complaints
}

// Enabled implements [slog.Handler].
func (internalLog) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelError }

// Handle implements [slog.Handler]. It leaves values of variables out: headers hold keys.
func (l internalLog) Handle(_ context.Context, r slog.Record) error {
	text := r.Message
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == "error" || a.Key == "err" || a.Key == "environment variable" {
			text += ": " + a.Value.String()
		}
		return true
	})
	l.said.say("OpenTelemetry reports an error", errors.New(text))
	return nil
}

// A watchedExporter says when an exporter blocks: the queue before it drops spans then,
// and nobody would tell.
type watchedExporter struct {
	trace.SpanExporter
	said *complaints
}

// ExportSpans implements [trace.SpanExporter].
func (e *watchedExporter) ExportSpans(ctx context.Context, spans []trace.ReadOnlySpan) error {
	late := time.AfterFunc(blockedAfter, func() {
		e.said.say("telemetry is not exported; tasks go on, spans are lost", fmt.Errorf("the exporter of spans blocks for more than %v", blockedAfter))
	})
	defer late.Stop()
	return e.SpanExporter.ExportSpans(ctx, spans)
}
