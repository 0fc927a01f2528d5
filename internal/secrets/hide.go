package secrets

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/dtaskhq/dtask/internal/schema"
)

// A Mask returns the JSON to show in place of a secret value.
type Mask func(value []byte) []byte

// Stars shows the same for all values.
func Stars([]byte) []byte { return []byte(`"***"`) }

// Zero masks a value by the empty one of its kind, and Null by null: for a decoder that
// is to fail where it would have failed, and to quote no secret.
func Zero(value []byte) []byte {
	switch jsontext.Value(value).Kind() {
	case '"':
		return []byte(`""`)
	case '0':
		return []byte("0")
	case 't', 'f':
		return []byte("false")
	case '{':
		return []byte("{}")
	case '[':
		return []byte("[]")
	}
	return []byte("null")
}

// Null masks a value by null, which decoders skip.
func Null([]byte) []byte { return []byte("null") }

// Hide returns a JSON object with its secret values masked. secret is what [Of]
// returns, or several schemas of that kind, of which each may call something secret.
// What is not as the schemas have it is masked where they lead to a secret.
func Hide(body []byte, mask Mask, secret ...*schema.Schema) (masked []byte, err error) {
	masked = body
	for _, s := range secret {
		if masked, err = hide(masked, mask, func(h *hider) error { return h.object(s, s.Fields) }); err != nil {
			return nil, err
		}
	}
	return masked, nil
}

// HideAll returns a JSON object with all its values masked, for arguments of which
// nothing is known. The names of its fields stay.
func HideAll(body []byte, mask Mask) ([]byte, error) {
	return hide(body, mask, func(h *hider) error {
		return h.members('{', func(string) error { return h.mask() })
	})
}

// Parse returns schemas by their lines.
func Parse(lines []string) (*schema.Schema, error) { return schema.Parse(lines) }

func hide(body []byte, mask Mask, object func(*hider) error) ([]byte, error) {
	var out bytes.Buffer
	lax := []jsontext.Options{jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true), jsontext.PreserveRawStrings(true)}
	h := &hider{
		in:   jsontext.NewDecoder(bytes.NewReader(body), lax...),
		out:  jsontext.NewEncoder(&out, lax...),
		with: mask,
	}
	if h.in.PeekKind() != '{' {
		return nil, errors.New("it is no JSON object")
	}
	if err := object(h); err != nil {
		return nil, err
	}
	if h.in.PeekKind() != jsontext.KindInvalid {
		return nil, errors.New("there is more after its JSON")
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), nil
}

// A hider copies JSON, and masks some of it.
type hider struct {
	in   *jsontext.Decoder
	out  *jsontext.Encoder
	with Mask
}

// mask replaces the next value.
func (h *hider) mask() error {
	value, err := h.in.ReadValue()
	if err != nil {
		return err
	}
	return h.out.WriteValue(h.with(bytes.Clone(value)))
}

// open copies the next value as it is.
func (h *hider) open() error {
	value, err := h.in.ReadValue()
	if err != nil {
		return err
	}
	return h.out.WriteValue(value)
}

// members copies an object, or a list, with a function for the values in it.
func (h *hider) members(begin jsontext.Kind, value func(name string) error) error {
	token, err := h.in.ReadToken()
	if err != nil {
		return err
	}
	if err := h.out.WriteToken(token); err != nil {
		return err
	}
	for more(h.in.PeekKind()) {
		name := ""
		if begin == '{' {
			raw, err := h.in.ReadValue()
			if err != nil {
				return err
			}
			unquoted, err := jsontext.AppendUnquote(nil, raw)
			if name = string(unquoted); err != nil && name == "" {
				return fmt.Errorf("the name of a field: %w", err)
			}
			if err := h.out.WriteValue(raw); err != nil {
				return err
			}
		}
		if err := value(name); err != nil {
			return err
		}
	}
	if token, err = h.in.ReadToken(); err != nil {
		return err
	}
	return h.out.WriteToken(token)
}

// more reports whether a value follows in an object or a list. What is invalid does,
// so that reading it gives the error.
func more(k jsontext.Kind) bool {
	return k != jsontext.KindEndObject && k != jsontext.KindEndArray
}

// object copies an object with the fields of a struct. Names in JSON are told apart
// without regard to case, as the decoder does.
func (h *hider) object(s *schema.Schema, fields []schema.Field) error {
	return h.members('{', func(name string) error {
		for _, f := range fields {
			if strings.EqualFold(f.Name, name) {
				if f.Secret {
					return h.mask()
				}
				return h.value(s, f.Type)
			}
		}
		return h.open()
	})
}

// value copies a value of a type that leads to a secret.
func (h *hider) value(s *schema.Schema, t *schema.Type) error {
	kind := h.in.PeekKind()
	switch {
	case kind == 'n':
		return h.open()
	case t.Kind == schema.Pointer:
		return h.value(s, t.Elem)
	case (t.Kind == schema.List || t.Kind == schema.Array) && kind == '[':
		return h.members('[', func(string) error { return h.value(s, t.Elem) })
	case t.Kind == schema.Map && kind == '{':
		return h.members('{', func(string) error { return h.value(s, t.Elem) })
	case t.Kind == schema.Ref && kind == '{':
		return h.object(s, s.Struct(t.Name))
	case t.Kind == schema.Inline && kind == '{':
		return h.object(s, t.Fields)
	}
	return h.mask() // it is not what it should be, or a type inside of itself
}
