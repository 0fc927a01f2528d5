package telemetry

import (
	"context"
	"encoding/hex"
	"log/slog"
	"strings"
	"sync"

	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/dtaskhq/dtask/runtime/dtask"
)

// The headers of the W3C. Messages have them over every retry, delay and dead letter.
const (
	traceParentHeader = "traceparent"
	traceStateHeader  = "tracestate"
	baggageHeader     = "baggage"
)

// Bounds on what others have written, in bytes. What is beyond is as good as absent.
const (
	maxTraceParent = 256
	maxTraceState  = 4 << 10
	maxBaggage     = 8 << 10
)

// A carrier shows a message to a propagator, without what is too long.
type carrier struct{ *dtask.Message }

func (c carrier) Get(key string) string {
	v := c.Headers[key]
	if len(v) > limitOf(key) {
		return ""
	}
	return v
}

func (c carrier) Set(key, value string) {
	if len(value) <= limitOf(key) {
		c.SetHeader(key, value)
	}
}

func (c carrier) Keys() []string { return []string{traceParentHeader, traceStateHeader, baggageHeader} }

func limitOf(header string) int {
	switch header {
	case traceParentHeader:
		return maxTraceParent
	case traceStateHeader:
		return maxTraceState
	}
	return maxBaggage
}

// created returns the context in which a message was created. It is not valid if the
// message has none.
func (t *Telemetry) created(m *dtask.Message) trace.SpanContext {
	header, ok := m.Headers[traceParentHeader]
	if !ok {
		return trace.SpanContext{}
	}
	if sc, ok := plain(header, m.Headers[traceStateHeader]); ok {
		return sc
	}
	ctx := propagation.TraceContext{}.Extract(context.Background(), carrier{m})
	sc := trace.SpanContextFromContext(ctx)
	if !sc.IsValid() {
		t.warning.once(&t.warning.trace, "a message has a traceparent that cannot be read; it is ignored, as in other messages from now on",
			"task", clip(m.Task), "id", clip(m.ID), "traceparent", clip(header)[:min(len(clip(header)), 80)])
	}
	return sc
}

// plain reads what nearly all messages have, a traceparent of version 00 and no
// tracestate. It does so without making a context, as the propagator has to.
func plain(parent, state string) (trace.SpanContext, bool) {
	if len(parent) != 55 || parent[:3] != "00-" || parent[35] != '-' || parent[52:54] != "-0" || parent[54] < '0' || parent[54] > '1' || state != "" {
		return trace.SpanContext{}, false
	}
	if strings.ContainsAny(parent, "ABCDEF") {
		return trace.SpanContext{}, false // which is wrong
	}
	c := trace.SpanContextConfig{TraceFlags: trace.TraceFlags(parent[54] - '0'), Remote: true}
	_, err := hex.Decode(c.TraceID[:], []byte(parent[3:35]))
	_, errSpan := hex.Decode(c.SpanID[:], []byte(parent[36:52]))
	sc := trace.NewSpanContext(c)
	return sc, err == nil && errSpan == nil && sc.IsValid()
}

// passOn has messages carry the context in which they are enqueued, without a span of
// their own.
func (t *Telemetry) passOn(next dtask.EnqueueFunc) dtask.EnqueueFunc {
	return func(ctx context.Context, ms []*dtask.Message) []error {
		for _, m := range ms {
			if _, chosen := m.Headers[traceParentHeader]; chosen {
				t.injectBaggage(ctx, m)
			} else {
				t.inject(ctx, m)
			}
		}
		return next(ctx, ms)
	}
}

// inject writes the context of a span, and the baggage that is allowed, into a message.
func (t *Telemetry) inject(ctx context.Context, m *dtask.Message) {
	propagation.TraceContext{}.Inject(ctx, carrier{m})
	t.injectBaggage(ctx, m)
}

func (t *Telemetry) injectBaggage(ctx context.Context, m *dtask.Message) {
	if t.options.baggage == nil {
		return
	}
	b := t.allowed(baggage.FromContext(ctx))
	if b.Len() == 0 {
		return
	}
	text := b.String()
	if len(text) > maxBaggage {
		t.warning.once(&t.warning.baggage, "baggage is too large for a message; it is left out, as of other messages from now on",
			"task", clip(m.Task), "bytes", len(text), "most", maxBaggage)
		return
	}
	m.SetHeader(baggageHeader, text)
}

// withBaggage returns ctx with the baggage of a message, as far as it is allowed.
func (t *Telemetry) withBaggage(ctx context.Context, m *dtask.Message) context.Context {
	header := m.Headers[baggageHeader]
	if t.options.baggage == nil || header == "" {
		return ctx
	}
	var b baggage.Baggage
	var err error
	if len(header) <= maxBaggage {
		b, err = baggage.Parse(header)
	}
	if err != nil || len(header) > maxBaggage {
		t.warning.once(&t.warning.baggage, "a message has baggage that cannot be read; it is ignored, as in other messages from now on",
			"task", clip(m.Task), "id", clip(m.ID), "bytes", len(header))
		return ctx
	}
	return baggage.ContextWithBaggage(ctx, t.allowed(b))
}

// allowed returns the members of a baggage that are passed on.
func (t *Telemetry) allowed(b baggage.Baggage) baggage.Baggage {
	for _, m := range b.Members() {
		if !t.options.baggage[m.Key()] {
			b = b.DeleteMember(m.Key())
		}
	}
	return b
}

// warnings are said once each.
type warnings struct {
	log            *slog.Logger
	trace, baggage sync.Once
}

func (w *warnings) once(which *sync.Once, text string, args ...any) {
	which.Do(func() { w.log.Warn(text, args...) })
}
