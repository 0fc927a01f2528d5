package measure

import (
	"context"
)

// TraceOf returns the id of the trace of ctx, or "" if it has none that is sampled.
// Package telemetry sets it; without that package there is nothing to ask.
var TraceOf = func(context.Context) string { return "" }

// Trace returns the id of the trace in which what was observed is seen: that of ctx, or
// else the one in which the message was enqueued. Without either it is empty.
func (o Observed) Trace(ctx context.Context) string {
	if id := TraceOf(ctx); id != "" || o.message == nil {
		return id
	}
	m := o.message
	// version-traceid-parentid-flags, as the W3C has it
	parent := m.Headers["traceparent"]
	if len(parent) != 55 || parent[2] != '-' || parent[35] != '-' || parent[52] != '-' || (parent[54]-'0')&1 == 0 {
		return ""
	}
	for _, c := range []byte(parent[3:35]) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return ""
		}
	}
	return parent[3:35]
}
