package codec

import (
	"cmp"
	"encoding/json"
	"slices"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/wire"
)

// Shorten makes the headers of a message n bytes shorter, at the cost of its
// history of failures. It returns false if the history is too short for that.
func (e *Envelope) Shorten(n int) bool {
	v, _ := e.Headers.Get(HeaderFailures)
	text, _ := v.Text()
	var fs []broker.Failure
	if len(text)-n < len(noFailures) || json.Unmarshal([]byte(text), &fs) != nil {
		return false
	}
	var h wire.Builder
	for name, v := range e.Headers.All() {
		if name == HeaderFailures {
			h.Text(name, encodeFailures(fs, len(text)-n))
		} else {
			h.Value(name, v)
		}
	}
	e.Headers = h.Table()
	return true
}

// noFailures is an empty history.
const noFailures = "[]"

// EncodeFailures returns the newest failures as JSON, as many as a message may
// carry.
func EncodeFailures(fs []broker.Failure) string { return encodeFailures(fs, maxFailures) }

// encodeFailures returns the newest failures that fit into limit bytes, as JSON;
// without their stacks if the newest does not fit with its own.
func encodeFailures(fs []broker.Failure, limit int) string {
	fs = withShorterLogs(fs, limit)
	if text := newestFailures(fs, limit); text != "" {
		return text
	}
	fs = slices.Clone(fs)
	for i := range fs {
		fs[i].Stack = ""
	}
	return cmp.Or(newestFailures(fs, limit), noFailures)
}

// leastLog is how many bytes of a log are worth keeping.
const leastLog = 1 << 10

// withShorterLogs returns the failures with what they have logged shortened, the oldest
// first, as far as the limit asks for it. How long it is in JSON depends on what is in it.
func withShorterLogs(fs []broker.Failure, limit int) []broker.Failure {
	for cloned := false; ; cloned = true {
		oldest := slices.IndexFunc(fs, func(f broker.Failure) bool { return f.Log != "" })
		if oldest < 0 {
			return fs
		}
		if b, err := json.Marshal(fs); err != nil || len(b) <= limit {
			return fs
		}
		if !cloned {
			fs = slices.Clone(fs)
		}
		f := &fs[oldest]
		if f.Log = broker.ShortenLog(f.Log, len(f.Log)*3/4); len(f.Log) < leastLog {
			f.Log = ""
		}
	}
}

// newestFailures returns the newest failures that fit, or an empty string if none
// does: it is of a year beyond 9999, or its text beyond all bounds.
func newestFailures(fs []broker.Failure, limit int) string {
	for ; len(fs) > 0; fs = fs[1:] {
		if b, err := json.Marshal(fs); err == nil && len(b) <= limit {
			return string(b)
		}
	}
	return ""
}
