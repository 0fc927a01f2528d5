package dashboard

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/dtaskhq/dtask/internal/printable"
	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/operate"
)

// A messageRow is a message in a list. It holds what is shown, and not the message, which
// may be large.
type messageRow struct {
	ID, Task, Queue string
	State           state
	Kind, Error     string
	Arguments       string
	Unknown         bool // nobody knows which arguments are secret
	Used, Attempts  int
	EnqueuedAt, At  time.Time
}

const (
	maxRowError     = 300 // characters
	maxRowArguments = 300
)

func rowOf(m broker.Stored, mask *operate.Mask) messageRow {
	r := messageRow{
		ID: m.Message.ID, Task: m.Message.Task, Queue: m.Message.Queue, State: stateOf(m),
		Used: used(m), Attempts: m.Message.Attempts, EnqueuedAt: m.Message.EnqueuedAt, At: m.At,
	}
	if n := len(m.Message.Failures); n > 0 {
		f := m.Message.Failures[n-1]
		r.Kind, r.Error = f.Kind, printable.Cut(withoutKind(f.Kind, f.Error), maxRowError)
	}
	_, r.Unknown = mask.Arguments(m.Message)
	r.Arguments = flat(mask.Body(m.Message), maxRowArguments)
	return r
}

// withoutKind returns the error of a failure without the kind before it, which stands
// beside it.
func withoutKind(kind, err string) string { return strings.TrimPrefix(err, kind+": ") }

// Under is the second line of the state.
func (r messageRow) Under(now time.Time) string { return r.State.under(r.At, now) }

// Age is how old the message is.
func (r messageRow) Age(now time.Time) string { return ago(now.Sub(r.EnqueuedAt)) }

// flat writes a JSON object in a line, as far as it fits: to=a@b.org  user.id=7.
func flat(body []byte, most int) string {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	f := flattener{d: d, most: most}
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return printable.Cut(printable.Text(string(body), ""), most)
	}
	f.object("")
	return printable.Cut(printable.Text(f.text.String(), ""), most)
}

// A flattener writes fields until it has written enough.
type flattener struct {
	d    *json.Decoder
	text strings.Builder
	most int
}

func (f *flattener) full() bool { return f.text.Len() > f.most }

// object writes what follows a brace.
func (f *flattener) object(path string) {
	for f.d.More() && !f.full() {
		name, err := f.d.Token()
		if err != nil {
			return
		}
		f.value(path + name.(string))
	}
	f.d.Token() // the end, or an error that the next one has too
}

func (f *flattener) value(path string) {
	t, err := f.d.Token()
	if err != nil {
		return
	}
	switch t := t.(type) {
	case json.Delim:
		if t == '{' {
			f.object(path + ".")
			return
		}
		for i := 0; f.d.More() && !f.full(); i++ {
			f.value(path + "." + strconv.Itoa(i))
		}
		f.d.Token()
	case string:
		f.write(path, quotedIfNeeded(t))
	case json.Number:
		f.write(path, t.String())
	case bool:
		f.write(path, strconv.FormatBool(t))
	case nil:
		f.write(path, "null")
	}
}

func (f *flattener) write(path, value string) {
	if f.text.Len() > 0 {
		f.text.WriteString("  ")
	}
	f.text.WriteString(path + "=" + value)
}

// quotedIfNeeded puts a text into quotes that has spaces in it, or is empty.
func quotedIfNeeded(s string) string {
	if s == "" || strings.ContainsAny(s, " \t\n") {
		return "“" + s + "”"
	}
	return s
}
