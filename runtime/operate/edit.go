package operate

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// ErrUnchanged: the arguments are what they were.
var ErrUnchanged = errors.New("nothing was changed")

// Arguments returns the arguments of a message as people read them: indented, or as
// they are if they are no JSON.
func Arguments(m *broker.Message) []byte {
	var pretty bytes.Buffer
	if json.Indent(&pretty, m.Body, "", "  ") != nil {
		return m.Body
	}
	return pretty.Bytes()
}

// Edit replaces the arguments of a message, as it was looked at, by others, which are
// to be a JSON object. Its schema stays. The error wraps [ErrUnchanged] if they are the
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
	old := broker.Arguments{Body: s.Message.Body, Schema: s.Message.Schema}
	return editor.Edit(ctx, s.Ref(), old, broker.Arguments{Body: body, Schema: s.Message.Schema})
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
