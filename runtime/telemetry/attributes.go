package telemetry

import (
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/dtaskhq/dtask/runtime/dtask"
	"github.com/dtaskhq/dtask/runtime/telemetry/internal/measure"
)

// The attributes that the conventions lack.
const (
	taskKey     = attribute.Key("dtask.task")     // the name of the task
	schemaKey   = attribute.Key("dtask.schema")   // the fingerprint of its arguments
	attemptKey  = attribute.Key("dtask.attempt")  // from 1
	attemptsKey = attribute.Key("dtask.attempts") // how many are allowed
	outcomeKey  = attribute.Key("dtask.outcome")  // what became of the message
	delayKey    = attribute.Key("dtask.delay")    // seconds until it is due, or due again
	tickKey     = attribute.Key("dtask.tick")     // of a periodic task: its time
)

// Operations, which are also the beginnings of the names of spans.
const (
	create  = "create"
	send    = "send"
	process = "process"
)

// A spanKey says which spans have the same beginning.
type spanKey struct{ operation, queue, task, schema string }

// A spanKind is what such spans have in common: the name, and the attributes by which a
// sampler may decide. They are made once, as making them costs more than all else.
type spanKind struct {
	name    string
	options []trace.SpanStartOption
}

// A spanCache keeps what spans have in common. It is bounded: the names of tasks may
// come from others, and a program may make queues.
type spanCache struct {
	mu    sync.RWMutex
	kinds map[spanKey]*spanKind
}

const maxSpanKinds = 1000

// kind returns what spans of an operation have in common. What is empty in the key is
// not known, or differs within a batch.
func (t *Telemetry) kind(k spanKey, as trace.SpanKind) *spanKind {
	t.spans.mu.RLock()
	kind := t.spans.kinds[k]
	t.spans.mu.RUnlock()
	if kind != nil {
		return kind
	}
	attributes := []attribute.KeyValue{
		semconv.MessagingSystemKey.String(t.system()),
		semconv.MessagingOperationName(k.operation),
		semconv.MessagingOperationTypeKey.String(k.operation),
	}
	for _, a := range []attribute.KeyValue{semconv.MessagingDestinationName(k.queue), taskKey.String(k.task), schemaKey.String(k.schema)} {
		if a.Value.AsString() != "" {
			attributes = append(attributes, a)
		}
	}
	kind = &spanKind{
		name:    strings.TrimSpace(k.operation + " " + k.queue),
		options: []trace.SpanStartOption{trace.WithSpanKind(as), trace.WithAttributes(attributes...)},
	}
	t.spans.mu.Lock()
	defer t.spans.mu.Unlock()
	if t.spans.kinds == nil {
		t.spans.kinds = make(map[spanKey]*spanKind)
	}
	if len(t.spans.kinds) < maxSpanKinds {
		t.spans.kinds[k] = kind
	}
	return kind
}

// maxAttributes is the most that is added to a span when it ends.
const maxAttributes = 9

// of returns the attributes of a span about one message, with room for more.
func (t *Telemetry) of(m *dtask.Message) []attribute.KeyValue {
	as := append(make([]attribute.KeyValue, 0, maxAttributes), semconv.MessagingMessageID(m.ID))
	if tick := m.Headers[dtask.TickHeader]; tick != "" {
		as = append(as, tickKey.String(clip(tick)))
	}
	return t.server(as)
}

// server adds where the broker is.
func (t *Telemetry) server(as []attribute.KeyValue) []attribute.KeyValue {
	id := measure.IdentityOf(t.client.Broker())
	if id.Host != "" {
		as = append(as, semconv.ServerAddress(id.Host))
		if id.Port > 0 {
			as = append(as, semconv.ServerPort(id.Port))
		}
	}
	return as
}

// delayOf adds how long a message is to wait.
func delayOf(as []attribute.KeyValue, m *dtask.Message) []attribute.KeyValue {
	if d := m.NotBefore.Sub(m.EnqueuedAt); !m.NotBefore.IsZero() && d > 0 {
		as = append(as, delayKey.Float64(d.Round(time.Millisecond).Seconds()))
	}
	return as
}

// maxText bounds what spans say in words, in bytes.
const maxText = 1 << 10

// clip returns the beginning of a text that others have written.
func clip(s string) string {
	if len(s) > maxText {
		s = s[:maxText]
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}
