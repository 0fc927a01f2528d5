package operate

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// ErrUnchanged: the arguments are what they were.
var ErrUnchanged = errors.New("nothing was changed")

// Edit replaces the arguments of a message, as it was looked at, by others, which are
// to be a JSON object. Its schema stays. If the types of the task are known, they must
// decode as the worker decodes them. The error wraps [ErrUnchanged] if they are the
// same, and [broker.ErrChanged] if the message has moved on, or was edited by somebody
// else.
func (o *Operator) Edit(ctx context.Context, s broker.Stored, arguments []byte) error {
	editor, err := broker.As[broker.Editor](o.broker)
	if err != nil {
		return err
	}
	body, err := object(arguments)
	if err != nil {
		return err
	}
	if before, err := object(s.Message.Body); err == nil && bytes.Equal(before, body) {
		return ErrUnchanged
	}
	if err := o.decodes(ctx, s.Message, body); err != nil {
		return err
	}
	old := broker.Arguments{Body: s.Message.Body, Schema: s.Message.Schema}
	return o.act(ctx, broker.Act{Did: "edited", On: "id:" + s.Message.ID, Planned: 1}, func(a *broker.Act) error {
		err := editor.Edit(ctx, s.Ref(), old, broker.Arguments{Body: body, Schema: s.Message.Schema})
		if err == nil {
			a.Changed = 1
		}
		return err
	})
}

// Fields returns the fields of the arguments of a message, and of the structs that they
// lead to, a line each as in dtask.lock: "user.id int64". It is empty if this program does
// not have the task with these arguments. Of a message without a fingerprint they are those
// that it must have.
func (o *Operator) Fields(m *broker.Message) []string {
	for _, t := range o.own {
		if (t.Name == m.Task || slices.Contains(t.Spec.Was, m.Task)) && (m.Schema == t.Spec.Schema || m.Schema == "") {
			return t.Spec.Fields
		}
	}
	return nil
}

// decodes reports why a worker could not decode a body as the arguments of a message, if
// this program has its task.
func (o *Operator) decodes(ctx context.Context, m *broker.Message, body []byte) error {
	for _, t := range o.own {
		if t.decodes == nil || t.Name != m.Task && !slices.Contains(t.Spec.Was, m.Task) {
			continue
		}
		edited := *m
		edited.Body = body
		if m.Schema == t.Spec.Schema {
			edited.Schema = "" // what has none must fit exactly, with no field too many
		}
		return t.decodes(ctx, &edited)
	}
	return nil
}

// object returns a JSON object without the space around its parts.
func object(text []byte) ([]byte, error) {
	var fields map[string]json.RawMessage
	err := json.Unmarshal(text, &fields)
	var syntax *json.SyntaxError
	switch {
	case errors.As(err, &syntax):
		before := text[:min(int(syntax.Offset), len(text))]
		return nil, fmt.Errorf("arguments, line %d: no JSON: %w", bytes.Count(before, []byte("\n"))+1, err)
	case err != nil || fields == nil:
		return nil, errors.New("the arguments are no JSON object; write them as {\"name\": value}")
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, text); err != nil {
		return nil, err
	}
	return compact.Bytes(), nil
}
