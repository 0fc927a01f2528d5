package dtask

import (
	"bytes"
	"strings"
	"sync"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// records are the lines that an attempt has logged, the newest [broker.MaxLogSize] bytes.
type records struct {
	mu   sync.Mutex
	text []byte
	cut  bool // there were earlier ones
}

// Write adds a line. It never fails.
func (r *records) Write(line []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.text = append(r.text, line...)
	if len(r.text) > 2*broker.MaxLogSize { // not at each line
		r.shorten()
	}
	return len(line), nil
}

// String returns the lines.
func (r *records) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.shorten()
	if r.cut {
		return broker.LogCut + string(r.text)
	}
	return string(r.text)
}

func (r *records) shorten() {
	const most = broker.MaxLogSize - len(broker.LogCut)
	if len(r.text) <= most {
		return
	}
	tail := r.text[len(r.text)-most:]
	if end := bytes.IndexByte(tail, '\n'); end >= 0 && end+1 < len(tail) {
		tail = tail[end+1:]
	}
	r.text, r.cut = append(r.text[:0], tail...), true
}

// keepLog keeps what an attempt has logged with the failure that it has ended with.
func (w *Worker) keepLog(m *Message, e *execution, k OutcomeKind) {
	n := len(m.Failures)
	if e.records == nil || n == 0 || k != OutcomeRetried && k != OutcomeDead {
		return
	}
	text := strings.ToValidUTF8(e.records.String(), "\uFFFD")
	if h := w.tasks[m.Task]; h != nil {
		text = h.Spec.withoutSecrets(text, m)
	}
	m.Failures[n-1].Log = broker.ShortenLog(text, broker.MaxLogSize)
	left := broker.MaxLogSize
	for i := n - 1; i >= 0; i-- { // the newest first; the failures are this message's own
		f := &m.Failures[i]
		f.Log = broker.ShortenLog(f.Log, left)
		left -= len(f.Log)
	}
}
