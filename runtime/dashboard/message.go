package dashboard

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"net/url"
	"slices"

	"github.com/dtaskhq/dtask/internal/schema"
	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/dashboard/internal/form"
	"github.com/dtaskhq/dtask/runtime/operate"
)

// messagePage is what the page of one message shows.
type messagePage struct {
	Row      messageRow
	Path     string // of the page
	Says     string // beside the state
	Newest   *broker.Failure
	Why      string // below the newest failure
	Life     []event
	Facts    []fact
	Headers  []string
	Priority string

	Fields    []form.Field // by the schema
	Text      string       // the arguments as JSON, where there is no schema
	Known     bool         // there is one
	Unknown   bool         // all is masked, as nobody knows what is secret
	Secret    bool         // something is masked
	Revealed  bool
	Wrong     string // why what was sent cannot be saved
	Was       string // what the arguments were, for a form that is sent late
	Changable bool   // it does not run
	Workers   string
}

// message shows a message.
func (v *visit) message() (any, error) {
	m, err := v.stored(v.r.PathValue("id"))
	if err != nil {
		return nil, err
	}
	p := v.messagePage(m)
	v.fill(&p, m, v.operator.Mask(v.ctx()))
	return p, nil
}

// stored returns a message, which is looked up once for all who look at it.
func (v *visit) stored(id string) (broker.Stored, error) {
	seen := see(v, v.looks.messages.get(id, func(ctx context.Context) (broker.Stored, error) {
		return v.operator.Message(ctx, id)
	}))
	if seen.err != nil || !seen.known() {
		return broker.Stored{}, seen.unseen()
	}
	return seen.value, nil
}

func (v *visit) messagePage(m broker.Stored) messagePage {
	p := messagePage{
		Row: rowOf(m, v.operator.Mask(v.ctx())), Path: messagePath(m.Message.ID), Was: fingerprint(m.Message.Body),
		Changable: m.State != broker.StateRunning, Life: v.life(m),
	}
	p.Says = v.stateSays(m)
	if n := len(m.Message.Failures); n > 0 {
		p.Newest = &m.Message.Failures[n-1]
		p.Why = because(m)
	}
	p.Facts = v.facts(m)
	for _, name := range slices.Sorted(maps.Keys(m.Message.Headers)) {
		p.Headers = append(p.Headers, name+": "+m.Message.Headers[name])
	}
	return p
}

func messagePath(id string) string { return "message/" + url.PathEscape(id) }

// fingerprint tells whether arguments were changed.
func fingerprint(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:12])
}

// schemaOf returns the schema of a message's arguments, if this program has its task.
func (d *Dashboard) schemaOf(m *broker.Message) (*schema.Schema, bool) {
	for _, t := range d.own {
		if t.Name != m.Task && !slices.Contains(t.Spec.Was, m.Task) || m.Schema != "" && m.Schema != t.Spec.Schema {
			continue
		}
		if s, err := schema.Parse(t.Spec.Fields); err == nil && s.Fingerprint() == t.Spec.Schema {
			return s, true
		}
	}
	return nil, false
}

// fill fills the form with the arguments.
func (v *visit) fill(p *messagePage, m broker.Stored, mask *operate.Mask) {
	_, p.Unknown = mask.Arguments(m.Message)
	draft := mask.Draft(m.Message)
	p.Secret = draft.Mark != ""
	p.show(v, m, draft.Text, draft.Mark, nil)
}

// show puts arguments into the form: those of the message, or what was sent.
func (p *messagePage) show(v *visit, m broker.Stored, text []byte, mark string, wrong map[string]string) {
	p.Text = string(text)
	s, known := v.schemaOf(m.Message)
	if known && !p.Unknown && json.Valid(text) {
		p.Known, p.Fields = true, form.Fields(s, text, mark, wrong)
	}
}
