package form

import (
	"encoding/json"
	"errors"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/dtaskhq/dtask/internal/schema"
)

// maxElements is how many elements a list of a form has.
const maxElements = 1000

// Read returns the object that a sent form stands for, and what is wrong with its values,
// by path. again reports that the form only asks to be shown with a part more or less.
func Read(s *schema.Schema, object []byte, mark string, sent url.Values) (read []byte, wrong map[string]string, again bool) {
	r := &reader{schema: s, mark: strings.TrimSuffix(mark, "1"), sent: sent, wrong: make(map[string]string)}
	read = r.object("", s.Fields, object)
	for _, button := range []string{Add, Remove, Replace} {
		again = again || sent.Has(button)
	}
	return read, r.wrong, again
}

type reader struct {
	schema *schema.Schema
	mark   string
	sent   url.Values
	wrong  map[string]string
}

// object reads the fields of a struct. before is what it was, for the fields that no
// schema has.
func (r *reader) object(path string, fields []schema.Field, before []byte) json.RawMessage {
	var ms members
	for _, f := range fields {
		if raw := r.field(join(path, f.Name), f); raw != nil {
			ms = append(ms, member{f.Name, raw})
		}
	}
	old, _ := membersOf(before)
	for _, m := range old {
		p := join(path, m.name)
		if hasField(fields, m.name) || !r.sent.Has(prefix+p) || r.sent.Get(Remove) == p {
			continue
		}
		ms = append(ms, member{m.name, r.json(p)})
	}
	return ms.write()
}

func (ms members) write() json.RawMessage {
	text := []byte{'{'}
	for i, m := range ms {
		if i > 0 {
			text = append(text, ',')
		}
		name := quote(m.name)
		text = append(append(append(text, name...), ':'), m.raw...)
	}
	return append(text, '}')
}

// field reads a field. nil is one that is absent.
func (r *reader) field(path string, f schema.Field) json.RawMessage {
	typed := r.sent.Get(prefix + path)
	switch {
	case r.sent.Get(Replace) == path:
		return r.sample(f.Type)
	case f.Secret && r.mark != "" && strings.HasPrefix(typed, r.mark):
		raw := quote(typed)
		return raw
	case f.Optional && r.sent.Get(Remove) == path:
		return nil
	case f.Optional && scalar(inner(f.Type)) && strings.TrimSpace(typed) == "":
		return nil
	case r.sent.Get(kept+path) == isAbsent && !scalar(inner(f.Type)):
		if r.sent.Get(Add) != path {
			return nil
		}
		return r.sample(f.Type)
	}
	return r.value(path, f.Type, f.Quoted)
}

func (r *reader) value(path string, t *schema.Type, quoted bool) json.RawMessage {
	switch t.Kind {
	case schema.Pointer:
		elem := inner(t)
		switch {
		case scalar(elem) && strings.TrimSpace(r.sent.Get(prefix+path)) == "",
			r.sent.Get(Remove) == path && !scalar(elem):
			return json.RawMessage(isNull)
		case r.sent.Get(kept+path) == isNull && elem.Kind != schema.List:
			if r.sent.Get(Add) != path {
				return json.RawMessage(isNull)
			}
			return r.sample(elem)
		}
		return r.value(path, elem, quoted)
	case schema.Ref, schema.Inline:
		if r.sent.Has(prefix + path) {
			return r.json(path) // it did not fit
		}
		fields := t.Fields
		if t.Kind == schema.Ref {
			fields = r.schema.Struct(t.Name)
		}
		return r.object(path, fields, r.others(path))
	case schema.List, schema.Array:
		return r.list(path, t)
	case schema.Map, schema.JSON, schema.Outer:
		return r.json(path)
	}
	if !r.sent.Has(prefix + path) {
		return r.fail(path, errors.New("the form was not sent whole"))
	}
	raw, err := readLeaf(t, quoted, r.sent.Get(prefix+path))
	if err != nil {
		return r.fail(path, err)
	}
	return raw
}

// others returns an object with the names of all fields that were sent of a struct: among
// them are those that no schema has.
func (r *reader) others(path string) []byte {
	var ms members
	for name := range r.sent {
		rest, ok := strings.CutPrefix(name, prefix+path+"/")
		if ok && !strings.Contains(rest, "/") {
			ms = append(ms, member{strings.NewReplacer("~1", "/", "~0", "~").Replace(rest), json.RawMessage(isNull)})
		}
	}
	slices.SortFunc(ms, func(a, b member) int { return strings.Compare(a.name, b.name) })
	return ms.write()
}

func (r *reader) list(path string, t *schema.Type) json.RawMessage {
	if r.sent.Has(prefix + path) {
		return r.json(path) // it did not fit
	}
	state := r.sent.Get(kept + path)
	adds := r.sent.Get(Add) == path
	if state == isNull && !adds {
		return json.RawMessage(isNull)
	}
	n, _ := strconv.Atoi(state) // 0 if it was null
	text := []byte{'['}
	add := func(raw json.RawMessage) {
		if len(text) > 1 {
			text = append(text, ',')
		}
		text = append(text, raw...)
	}
	for i := range min(n, maxElements) {
		p := join(path, strconv.Itoa(i))
		if t.Kind == schema.List && r.sent.Get(Remove) == p {
			continue
		}
		add(r.value(p, t.Elem, false))
	}
	if adds {
		add(r.sample(t.Elem))
	}
	return append(text, ']')
}

// json reads what was typed as JSON.
func (r *reader) json(path string) json.RawMessage {
	typed := r.sent.Get(prefix + path)
	if !json.Valid([]byte(typed)) {
		return r.fail(path, errors.New("this is no JSON"))
	}
	return json.RawMessage(typed)
}

// fail notes what is wrong with a value, and keeps what was typed as a text.
func (r *reader) fail(path string, err error) json.RawMessage {
	r.wrong[path] = err.Error()
	raw := quote(r.sent.Get(prefix + path))
	return raw
}

// sample is a value to begin with.
func (r *reader) sample(t *schema.Type) json.RawMessage {
	t = inner(t)
	switch t.Kind {
	case schema.Ref, schema.Inline:
		fields := t.Fields
		if t.Kind == schema.Ref {
			fields = r.schema.Struct(t.Name)
		}
		return r.empty(fields)
	case schema.List:
		return json.RawMessage("[]")
	case schema.Map:
		return json.RawMessage("{}")
	case schema.Time, schema.Text, schema.Bytes:
		return json.RawMessage(`""`)
	case schema.Basic:
		switch t.Name {
		case "string":
			return json.RawMessage(`""`)
		case "bool":
			return json.RawMessage("false")
		}
		return json.RawMessage("0")
	case schema.Duration:
		return json.RawMessage("0")
	}
	return json.RawMessage(isNull)
}

// empty is a struct to begin with. Pointers in it are null, so that it ends.
func (r *reader) empty(fields []schema.Field) json.RawMessage {
	var ms members
	for _, f := range fields {
		switch {
		case f.Optional:
			continue
		case f.Type.Kind == schema.Pointer:
			ms = append(ms, member{f.Name, json.RawMessage(isNull)})
		case f.Quoted:
			raw := quote(string(r.sample(f.Type)))
			ms = append(ms, member{f.Name, raw})
		default:
			ms = append(ms, member{f.Name, r.sample(f.Type)})
		}
	}
	return ms.write()
}

// Empty returns an object to begin a form with.
func Empty(s *schema.Schema) []byte { return (&reader{schema: s}).empty(s.Fields) }
