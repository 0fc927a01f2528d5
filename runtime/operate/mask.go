package operate

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	"github.com/dtaskhq/dtask/internal/schema"
	"github.com/dtaskhq/dtask/internal/secrets"
	"github.com/dtaskhq/dtask/runtime/broker"
)

// A Mask hides the secret arguments of messages from people. What is secret it knows
// from the tasks of this program, and from the processes in the registry. Of a message
// of which they know nothing it hides all arguments.
type Mask struct {
	own       []Task
	processes []broker.Process
	reveal    bool
}

// Mask asks who knows what is secret. If the broker cannot tell, the mask knows less,
// and hides more.
func (o *Operator) Mask(ctx context.Context) *Mask {
	processes, _ := o.Workers(ctx)
	return &Mask{own: o.own, processes: processes}
}

// Reveal returns a mask that hides nothing of the message with an id. Who asked for it is
// kept in the journal; if it cannot be, the secrets stay hidden.
func (o *Operator) Reveal(ctx context.Context, id string) (*Mask, error) {
	err := o.act(ctx, broker.Act{Did: "revealed", On: "id:" + id, Planned: -1}, func(*broker.Act) error { return nil })
	if err != nil {
		return nil, fmt.Errorf("secrets stay hidden: %w", err)
	}
	return &Mask{reveal: true}, nil
}

// Arguments returns the arguments of a message as people may read them: indented, and
// with their secrets masked. If all of them are masked because nobody knows which are
// secret, unknown is true.
func (k *Mask) Arguments(m *broker.Message) (text []byte, unknown bool) {
	body, unknown := k.hide(m, secrets.Stars)
	return indented(body), unknown
}

// Body is Arguments without spaces, for programs.
func (k *Mask) Body(m *broker.Message) []byte {
	body, _ := k.hide(m, secrets.Stars)
	return body
}

// hide masks the secrets of a message.
func (k *Mask) hide(m *broker.Message, with secrets.Mask) (body []byte, unknown bool) {
	if k.reveal {
		return m.Body, false
	}
	known, unknown := k.secret(m)
	if !unknown && len(known) == 0 {
		return m.Body, false
	}
	var err error
	if body, err = secrets.Hide(m.Body, with, known...); unknown {
		body, err = secrets.HideAll(m.Body, with)
	}
	if err != nil { // no JSON object, so that it cannot be told what in it is secret
		return with(m.Body), true
	}
	return body, unknown
}

// secret returns what is secret in a message, by all who know it, or that nobody does.
func (k *Mask) secret(m *broker.Message) (known []*schema.Schema, unknown bool) {
	// A message of another language has no fingerprint. That it fits the arguments
	// is not sure, so that if they have secrets, they may be anywhere.
	foreign := m.Schema == ""
	all := secretsOf(k.own, k.processes, m.Task, func(schema string) bool { return foreign || schema == m.Schema })
	for _, lines := range all {
		s, err := secrets.Parse(lines)
		if lines == nil || err != nil || foreign && len(lines) > 0 {
			return nil, true
		}
		if len(lines) > 0 {
			known = append(known, s)
		}
	}
	return known, len(all) == 0
}

// A Draft is the text in which somebody edits the arguments of a message.
type Draft struct {
	// Text are the arguments, indented, and with a mark in place of each secret. A
	// mark that is left brings its secret back, wherever it stands then.
	Text []byte

	// Mark is the first of the marks, or empty if nothing is secret.
	Mark string

	drawer *secrets.Drawer
}

// Draft returns the text for an editor.
func (k *Mask) Draft(m *broker.Message) *Draft {
	d := &Draft{drawer: secrets.NewDrawer(m.Body)}
	body, _ := k.hide(m, d.drawer.Put)
	d.Text = indented(body)
	if !d.drawer.Empty() {
		d.Mark = d.drawer.First()
	}
	return d
}

// Arguments returns the arguments that an edited text stands for.
func (d *Draft) Arguments(text []byte) ([]byte, error) { return d.drawer.Restore(text) }

// indented returns JSON as people read it, or what is no JSON as it is.
func indented(body []byte) []byte {
	var pretty bytes.Buffer
	if json.Indent(&pretty, body, "", "  ") != nil {
		return body
	}
	return pretty.Bytes()
}
